"""Split a script into statements, each with its parse tree.

What PostgreSQL's parser cannot read is still a statement, without a tree: nothing is known
about it, and the caller decides what is safe then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from larp_cli.postgres.sql.parser import NotParsed, TreeNode, parse_sql, split_sql, unwrap

_PLACEHOLDER = re.compile(r"%(?:%|(?:\([^)]*\))?[sbt])")
"""What psycopg replaces, wherever it stands: it does not know SQL either."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script."""

    text: str
    """Without the semicolon, and without what stands before it."""
    start: int
    """Characters of the script before it."""
    tree: TreeNode = field(default=None, repr=False, compare=False)
    """The node of the parse tree; None if the parser cannot read the statement."""

    @property
    def is_known(self) -> bool:
        """Whether the parser can read the statement."""
        return self.tree is not None


def read_statements(script: str) -> Iterator[Statement]:
    """Split a script into its statements and parse each."""
    try:
        tree = parse_sql(script)
    except NotParsed:
        return _read_one_by_one(script)
    return _read_tree(script, tree)


def replace_placeholders(query: str) -> str:
    """Turn what SQLAlchemy hands to psycopg into SQL: ``%s`` into ``$1``, ``%%`` into ``%``.

    Source: psycopg documentation, "Passing parameters to SQL queries".
    """
    numbers = count(1)
    return _PLACEHOLDER.sub(lambda found: "%" if found[0] == "%%" else f"${next(numbers)}", query)


def _read_tree(script: str, tree: TreeNode) -> Iterator[Statement]:
    length = len(script.encode())
    places = [
        # A length of 0 means all the rest.
        (item.stmt_location, item.stmt_location + item.stmt_len if item.stmt_len else length)
        for item in tree.stmts
    ]
    for item, (text, start) in zip(tree.stmts, _cut_pieces(script, places), strict=True):
        yield Statement(text, start, unwrap(item.stmt))


def _read_one_by_one(script: str) -> Iterator[Statement]:
    """Read the statements beside one that the parser cannot read."""
    try:
        places = split_sql(script)
    except NotParsed:
        yield Statement(script.strip(), len(script) - len(script.lstrip()))
        return
    for text, start in _cut_pieces(script, places):
        yield Statement(text, start, _parse_one(text) if len(places) > 1 else None)


def _parse_one(text: str) -> TreeNode | None:
    try:
        trees = parse_sql(text).stmts
    except NotParsed:
        return None
    return unwrap(trees[0].stmt) if len(trees) == 1 else None


def _cut_pieces(script: str, places: Iterable[tuple[int, int]]) -> Iterator[tuple[str, int]]:
    """Cut pieces out by their bytes; yields each with the number of characters before it."""
    data = script.encode()
    position = characters = 0
    for begin, end in places:
        characters += len(data[position:begin].decode())
        position = begin
        yield data[begin:end].decode().rstrip(), characters
