"""PostgreSQL's parser, through postgast. No other module imports that library.

The import takes as long as parsing a thousand statements, so import this package's modules
inside functions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import postgast
from google.protobuf.message import DecodeError

type TreeNode = Any
"""A message of the parse tree. Its kinds and fields: PostgreSQL's ``parsenodes.h``."""

ast: Any = postgast.pg_query_pb2
"""The values of PostgreSQL's enumerations, such as ``ast.OBJECT_TABLE``."""


LONGEST = 256 * 1024
"""Characters. The tree of a longer text could take a hundred megabytes or many seconds."""
LONGEST_SCRIPT = 4 * 1024 * 1024
"""Characters. Splitting takes fifty times their memory."""
SHORT = 4 * 1024
"""Characters that any thread's stack has room for."""
STACK_PER_CHARACTER = 512
"""Bytes. libpg_query recurses into the tree without a limit: measured 200, for ``1+1+1…``."""


class NotParsed(Exception):
    """The parser cannot read a text; the message says why."""


def parse_sql(sql: str) -> TreeNode:
    """Parse a script and return its ``ParseResult``.

    Raises:
        NotParsed: The syntax is wrong or newer than the parser, the text is too long, or it
            is nested deeper than protobuf reads: 100 levels, which is 15 subqueries within
            one another or 46 operators in a row.
    """
    _require_readable(sql, LONGEST)
    try:
        return postgast.parse(sql) if len(sql) <= SHORT else _parse_on_own_stack(sql)
    except postgast.PgQueryError as error:
        raise NotParsed(str(error)) from error
    except DecodeError as error:
        raise NotParsed("it is nested too deeply") from error
    except RuntimeError as error:
        raise NotParsed(f"there is no room for its stack: {error}") from error


def _require_readable(sql: str, longest: int) -> None:
    """Refuse what the parser would fail on, read only in part, or need too much memory for."""
    if len(sql) > longest:
        raise NotParsed(f"it has more than {longest} characters")
    if "\0" in sql:
        raise NotParsed("it holds a NUL character")
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise NotParsed("it is not valid Unicode") from error


def _parse_on_own_stack(sql: str) -> TreeNode:
    """Parse on a thread whose stack is large enough for the deepest tree of this length."""
    with ThreadPoolExecutor(1) as pool:
        before = threading.stack_size(_round_up(STACK_PER_CHARACTER * len(sql)))
        try:
            parsing = pool.submit(postgast.parse, sql)
        finally:
            threading.stack_size(before)
        return parsing.result()


def _round_up(size: int, page: int = 64 * 1024) -> int:
    return -(-size // page) * page


def split_sql(sql: str) -> list[tuple[int, int]]:
    """Return where the statements of a script begin and end, in bytes of its UTF-8.

    It needs no grammar: a statement ends at a ``;`` that stands in no string, comment,
    parenthesis or ``BEGIN ATOMIC … END``.

    Raises:
        NotParsed: A quote or a comment is not closed, or the text is too long.
    """
    _require_readable(sql, LONGEST_SCRIPT)
    try:
        tokens = postgast.scan(sql).tokens
    except postgast.PgQueryError as error:
        raise NotParsed(str(error)) from error
    found: list[tuple[int, int]] = []
    begin, end, before, depth = None, 0, None, 0
    for token in tokens:
        if token.token in _COMMENTS:
            continue
        if token.token == ast.ASCII_59 and depth == 0:
            if begin is not None:
                found.append((begin, end))
            begin = None
            continue
        depth = max(0, depth + _count_depth(token.token, before))
        begin, end, before = token.start if begin is None else begin, token.end, token.token
    return found if begin is None else [*found, (begin, end)]


_COMMENTS = {ast.SQL_COMMENT, ast.C_COMMENT}
_OPENING = {ast.ASCII_40, ast.CASE}
_CLOSING = {ast.ASCII_41, ast.END_P}


def _count_depth(token: int, before: int | None) -> int:
    """Return by how much a word changes the depth of parentheses and of ``BEGIN ATOMIC … END``."""
    if token == ast.ATOMIC and before == ast.BEGIN_P:
        return 1
    return (token in _OPENING) - (token in _CLOSING)


def unwrap(node: TreeNode) -> TreeNode:
    """Return what a ``Node``, which may hold any kind, holds; another node as it is."""
    return postgast.unwrap_node(node)


def read_kind(node: TreeNode) -> str:
    """Return the kind of a node, such as ``AlterTableStmt``."""
    return str(node.DESCRIPTOR.name)


def iterate_children(node: TreeNode) -> Iterator[tuple[str, TreeNode]]:
    """List the nodes right below ``node``, each with the field that holds it.

    Constants, columns and types are left out: a large INSERT consists of little else, and
    nothing is below them.
    """
    for field, value in node.ListFields():
        if field.message_type is None:
            continue
        wrapped = field.message_type.name == "Node"
        for child in value if field.is_repeated else (value,):
            if not wrapped:
                yield field.name, child
            elif (kind := child.WhichOneof("node")) not in _LEAVES:
                yield field.name, getattr(child, kind)


_LEAVES = {
    "a_const",
    "a_star",
    "boolean",
    "column_ref",
    "float",
    "integer",
    "param_ref",
    "string",
    "type_name",
    None,
}


def read_strings(nodes: Iterable[TreeNode]) -> tuple[str, ...]:
    """Return the strings of a list: the parts of a qualified name."""
    return tuple(node.string.sval for node in nodes)
