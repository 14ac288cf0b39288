"""Results as whole lines of plain text, for pipes and logs."""

from __future__ import annotations

from collections.abc import Callable

from larp_cli.rendering.answer import Answer
from larp_cli.rendering.describe import describe
from larp_cli.rendering.document import Facts, Line, Part, Table, Verbatim


def render(answer: Answer, *, redact: Callable[[str], str], colour: bool) -> str:
    """Write the result without colour or truncation: facts as ``name: value``, rows by tabs."""
    assert answer.result is not None
    return "\n".join(_text(part, redact) for part in describe(answer.result))


def _text(part: Part, redact: Callable[[str], str]) -> str:
    match part:
        case Verbatim(text):
            return text.rstrip("\n")
        case Line(text):
            return redact(one_line(text))
        case Facts(rows):
            return "\n".join(redact(f"{name}: {one_line(value)}") for name, value in rows)
        case Table(_, columns, rows):
            lines = ["\t".join(columns), *("\t".join(map(one_line, row)) for row in rows)]
            return "\n".join(redact(line) for line in lines)


def one_line(value: str) -> str:
    """Fold line breaks and tabs, and drop control characters that could steer a terminal."""
    return "".join(
        character if character.isprintable() else " " for character in " ".join(value.split())
    )
