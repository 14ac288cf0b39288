"""Tell what a statement does beside its work on tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from larp_cli.postgres.sql.parser import (
    TreeNode,
    ast,
    iterate_children,
    read_kind,
    read_strings,
    unwrap,
)
from larp_cli.postgres.sql.statements import Statement
from larp_cli.postgres.sql.tables import TableName, read_name

ANY_SETTING: Final = "*"
"""In place of a name: all settings, or one whose name only the server will know."""


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """An index that a statement creates."""

    index: str | None
    """None if PostgreSQL is to choose the name."""
    table: TableName


@dataclass(frozen=True, slots=True)
class Detachment:
    """A partition that a statement detaches CONCURRENTLY."""

    parent: TableName
    partition: TableName


@dataclass(frozen=True, slots=True)
class Effects:
    """What a statement does to the session, to its transaction, and without blocking others."""

    concurrent_index: bool = False
    """It creates, drops or rebuilds indexes ``CONCURRENTLY``."""
    builds: IndexBuild | None = None
    detaches: Detachment | None = None
    settings: frozenset[str] = frozenset()
    """The settings of the session that it sets or resets, locally or not; ``role`` is one."""
    controls_transaction: bool = False
    """It begins, ends or prepares a transaction; savepoints do not."""
    carries_code: bool = False
    """It runs or stores code that the parser sees as a string, and whose effects are not known."""


def find_effects(statement: Statement) -> Effects | None:
    """Return the effects of a statement; None if the parser cannot read it."""
    if not statement.is_known:
        return None
    node = statement.tree
    kind = read_kind(node)
    return Effects(
        concurrent_index=_is_concurrent_index(node, kind),
        builds=_read_index_build(node) if kind == "IndexStmt" else None,
        detaches=_read_detachment(node) if kind == "AlterTableStmt" else None,
        settings=frozenset(_find_settings(node, kind)),
        controls_transaction=kind == "TransactionStmt" and node.kind not in _SAVEPOINTS,
        carries_code=kind in ("DoStmt", "CreateFunctionStmt"),
    )


_SAVEPOINTS = {
    ast.TRANS_STMT_SAVEPOINT,
    ast.TRANS_STMT_RELEASE,
    ast.TRANS_STMT_ROLLBACK_TO,
}


def _is_concurrent_index(node: TreeNode, kind: str) -> bool:
    if kind == "ReindexStmt":
        options = [unwrap(item) for item in node.params]
        return any(item.defname == "concurrently" and _is_on(item) for item in options)
    return kind in ("IndexStmt", "DropStmt") and bool(node.concurrent)


def _is_on(option: TreeNode) -> bool:
    """Read a boolean option as PostgreSQL's ``defGetBoolean`` does: one without a value is on."""
    if not option.HasField("arg"):
        return True
    value = unwrap(option.arg)
    if read_kind(value) == "Integer":
        return bool(value.ival)
    return read_kind(value) != "String" or value.sval.lower() in ("true", "on")


def _read_index_build(node: TreeNode) -> IndexBuild:
    return IndexBuild(node.idxname or None, read_name(node.relation))


def _read_detachment(node: TreeNode) -> Detachment | None:
    command = unwrap(node.cmds[0])
    if command.subtype != ast.AT_DetachPartition:
        return None
    part = unwrap(getattr(command, "def"))
    if not part.concurrent:
        return None
    return Detachment(read_name(node.relation), read_name(part.name))


def _find_settings(node: TreeNode, kind: str) -> Iterator[str]:
    """List the settings of the session that a statement changes."""
    if kind == "VariableSetStmt":
        yield ANY_SETTING if node.kind == ast.VAR_RESET_ALL else node.name.lower()
    elif kind == "DiscardStmt" and node.target == ast.DISCARD_ALL:
        yield ANY_SETTING
    elif kind not in _STORES_CODE:
        yield from _find_settings_of_queries(node)


_STORES_CODE = {"CreateFunctionStmt", "RuleStmt", "ViewStmt"}


def _find_settings_of_queries(node: TreeNode) -> Iterator[str]:
    """List the settings that a query changes by ``set_config()``, or in ``pg_settings``."""
    if read_kind(node) == "FuncCall" and read_strings(node.funcname)[-1] == "set_config":
        yield _read_literal(node.args[0]) or ANY_SETTING if node.args else ANY_SETTING
    if read_kind(node) == "UpdateStmt" and node.relation.relname == "pg_settings":
        yield ANY_SETTING
    for _field, child in iterate_children(node):
        yield from _find_settings_of_queries(child)


def _read_literal(argument: TreeNode) -> str | None:
    """Return the text of a literal, in lower case; None if the argument is no literal."""
    value = unwrap(argument)
    return value.sval.sval.lower() if read_kind(value) == "A_Const" and value.sval.sval else None
