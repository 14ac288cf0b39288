"""Which tables a statement touches, told from its text.

Simple on purpose: it finds what a table is locked, rewritten or filled by. What hides in
the body of a function or in a string is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

type TableName = tuple[str | None, str]
"""Schema, where one is written, and name; as the catalog has them."""

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_NAME = rf"(?:{_IDENTIFIER}\s*\.\s*)?{_IDENTIFIER}"
_NAMES = rf"{_NAME}(?:\s*,\s*{_NAME})*"
_EXISTS = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
_ONLY = r"(?:ONLY\s+)?"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_TARGETS = tuple(
    _pattern(text)
    for text in (
        rf"\bALTER\s+TABLE\s+{_EXISTS}{_ONLY}({_NAME})",
        rf"\bINDEX\s+(?:CONCURRENTLY\s+)?{_EXISTS}(?:{_NAME}\s+)?ON\s+{_ONLY}({_NAME})",
        rf"\b(?:DROP|ALTER)\s+INDEX\s+(?:CONCURRENTLY\s+)?{_EXISTS}({_NAMES})",
        rf"\bTRIGGER\b[^;]*?\bON\s+({_NAME})",
        rf"\bDROP\s+TABLE\s+{_EXISTS}({_NAMES})",
        rf"\b(?:TRUNCATE\s+(?:TABLE\s+)?|LOCK\s+TABLE\s+){_ONLY}(?!ON\b)({_NAMES})",
        rf"\bUPDATE\s+{_ONLY}({_NAME})(?:\s+(?:AS\s+)?{_IDENTIFIER})?\s+SET\b",
        rf"\b(?:DELETE\s+FROM|INSERT\s+INTO|MERGE\s+INTO)\s+{_ONLY}({_NAME})",
        rf"\bPARTITION\s+OF\s+({_NAME})",
    )
)
_REFERENCED = _pattern(rf"\bREFERENCES\s+({_NAME})")
_CREATED = _pattern(
    rf"\bCREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?(?:(?:TEMP|TEMPORARY|UNLOGGED)\s+)?TABLE\s+"
    rf"{_EXISTS}({_NAME})"
)
_SILENT = _pattern(
    r"""(?P<kept>"(?:[^"]|"")*")|--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'"""
    r"""|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
)


@dataclass(frozen=True, slots=True)
class Touched:
    """The tables in a text of SQL."""

    targets: tuple[TableName, ...]
    """Altered, indexed, filled, emptied or dropped. For ``DROP INDEX`` the index itself."""
    referenced: tuple[TableName, ...]
    """Only referenced by a foreign key, which locks them too."""
    created: tuple[TableName, ...]


def tables_in(sql: str) -> Touched:
    """Find the tables that ``sql`` touches."""
    text = _SILENT.sub(lambda match: match["kept"] or " ", sql)
    targets = (name for pattern in _TARGETS for name in _found(pattern, text))
    return Touched(
        targets=tuple(dict.fromkeys(targets)),
        referenced=tuple(dict.fromkeys(_found(_REFERENCED, text))),
        created=tuple(dict.fromkeys(_found(_CREATED, text))),
    )


def _found(pattern: re.Pattern[str], text: str) -> Iterator[TableName]:
    for match in pattern.finditer(text):
        for name in re.finditer(_NAME, match[1]):
            *schema, table = map(_as_stored, re.findall(_IDENTIFIER, name[0]))
            yield (schema[0] if schema else None, table)


def _as_stored(identifier: str) -> str:
    """Unquote an identifier, or fold it to lower case, as PostgreSQL does."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()
