"""Results as plain text lines, for pipes and logs."""

from __future__ import annotations

from collections.abc import Callable

from larp_cli.rendering.answer import Answer
from larp_cli.rendering.describe import describe
from larp_cli.rendering.document import Block, Facts, Line, Part, Table, Verbatim
from larp_cli.rendering.printable import one_line, printable


def render(answer: Answer, *, redact: Callable[[str], str], colour: bool) -> str:
    """Write the result without colour or truncation: facts as ``name: value``, rows by tabs."""
    assert answer.result is not None
    return "\n".join(_text(part, redact) for part in describe(answer.result))


def _text(part: Part, redact: Callable[[str], str]) -> str:
    def clean(value: str) -> str:
        # Redact first: a secret with folded line breaks would not be recognised.
        return one_line(redact(value))

    match part:
        case Verbatim(text):
            return text.rstrip("\n")
        case Line(text):
            return clean(text)
        case Block(text):
            return printable(redact(text).expandtabs(4))
        case Facts(rows):
            return "\n".join(redact(f"{name}: {clean(value)}") for name, value in rows)
        case Table(_, columns, rows):
            lines = ["\t".join(columns), *("\t".join(map(clean, row)) for row in rows)]
            return "\n".join(redact(line) for line in lines)
