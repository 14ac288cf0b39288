"""Results for people at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from larp_cli.rendering.answer import Answer
from larp_cli.rendering.describe import describe
from larp_cli.rendering.document import Block, Facts, Line, Part, Table, Verbatim
from larp_cli.rendering.printable import one_line, printable


def render(answer: Answer, *, redact: Callable[[str], str], colour: bool) -> str:
    """Write the result as aligned text, as wide as the terminal, or as COLUMNS says."""
    assert answer.result is not None
    written = StringIO()
    console = Console(
        file=written,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    for part in describe(answer.result):
        if isinstance(part, Verbatim):
            console.out(part.text.rstrip("\n"), highlight=False)
        else:
            console.print(_renderable(part, redact), soft_wrap=isinstance(part, Line | Block))
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _renderable(part: Part, redact: Callable[[str], str]) -> RenderableType:
    def clean(value: str) -> Text:
        return Text(one_line(redact(value)))

    match part:
        case Facts(rows):
            grid = RichTable.grid(padding=(0, 2))
            grid.add_column(style="bold", no_wrap=True)
            grid.add_column(overflow="fold")
            for name, value in rows:
                grid.add_row(clean(name), clean(value))
            return grid
        case Table(title, columns, rows):
            table = RichTable(
                title=Text(title) if title else None,
                title_justify="left",
                box=box.SIMPLE_HEAD,
                pad_edge=False,
            )
            for column in columns:
                table.add_column(Text(column), overflow="fold")
            for row in rows:
                table.add_row(*map(clean, row))
            return table
        case Block(text):
            return Text(printable(redact(text).expandtabs(4)))
        case Line(text) | Verbatim(text):
            return clean(text)
