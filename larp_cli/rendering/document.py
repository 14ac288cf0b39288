"""The parts of a description, before a format turns them into text."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one pair per line."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Block:
    """Text whose line breaks and indentation matter, such as SQL."""

    text: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is the result itself; every format writes it unchanged."""

    text: str


type Part = Line | Facts | Table | Block | Verbatim
