"""The parts that a result is described in, before it becomes text of one kind."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values, one to a line."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Block:
    """Text whose line breaks and indentation mean something, such as SQL."""

    text: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is the result itself, and is written as it is in every format."""

    text: str


type Part = Line | Facts | Table | Block | Verbatim
