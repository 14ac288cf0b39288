"""Find the tables that statements touch.

PostgreSQL's parse tree has a ``RangeVar`` wherever a statement names a table, and the field
that holds it tells what for. A field that is not listed here is taken for the heaviest use,
so that a kind of statement that larp has never met counts as changing its tables.

What runs later or elsewhere is not looked at: strings, the body of a function, the actions
of a rule, the code of a ``DO`` block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from larp_cli.postgres.sql.parser import (
    TreeNode,
    ast,
    iterate_children,
    read_kind,
    read_strings,
    unwrap,
)
from larp_cli.postgres.sql.statements import Statement, read_statements

type TableName = tuple[str | None, str]
"""Schema, where one is written, and name; as the catalog has them."""
type _Use = tuple[Role, TableName]


class Role(Enum):
    """What a statement names a table for."""

    TARGET = auto()
    """It is altered, indexed, filled, emptied, locked, vacuumed, described or dropped."""
    REFERENCED = auto()
    """A foreign key points at it, which locks it too."""
    CREATED = auto()
    READ = auto()
    """Its rows are read, or it is only named, as ``LIKE`` and ``GRANT`` do."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one or more statements, each once; views and sequences are among them."""

    targets: tuple[TableName, ...] = ()
    """For ``DROP INDEX`` and the like the index itself: only the catalog knows its table."""
    referenced: tuple[TableName, ...] = ()
    created: tuple[TableName, ...] = ()
    read: tuple[TableName, ...] = ()
    complete: bool = True
    """False if a statement could not be parsed: there may be more tables."""


_NOT_TABLES = {
    ("CompositeTypeStmt", "typevar"),
    ("ImportForeignSchemaStmt", "table_list"),  # tables of the other server
    ("LockingClause", "locked_rels"),  # aliases of what FROM names
}
_READ = {
    ("DeleteStmt", "using_clause"),
    ("GrantStmt", "objects"),
    ("JoinExpr", "larg"),
    ("JoinExpr", "rarg"),
    ("MergeStmt", "source_relation"),
    ("RangeTableSample", "relation"),
    ("SelectStmt", "from_clause"),
    ("TableLikeClause", "relation"),
    ("UpdateStmt", "from_clause"),
}
_CREATED = {
    ("CreateSeqStmt", "sequence"),
    ("CreateStmt", "relation"),
    ("IntoClause", "rel"),
    ("ViewStmt", "view"),
}
_REFERENCED = {("Constraint", "pktable"), ("CreateTrigStmt", "constrrel")}
_RUNS_LATER = {("CreateFunctionStmt", "sql_body"), ("RuleStmt", "actions")}
_NAMED_BY_STRINGS = {
    # The kind of the object and the field with its name.
    "AlterExtensionContentsStmt": ("objtype", "object"),
    "CommentStmt": ("objtype", "object"),
    "DropStmt": ("remove_type", "objects"),
    "SecLabelStmt": ("objtype", "object"),
}
_RELATIONS = {
    ast.OBJECT_FOREIGN_TABLE,
    ast.OBJECT_INDEX,
    ast.OBJECT_MATVIEW,
    ast.OBJECT_SEQUENCE,
    ast.OBJECT_TABLE,
    ast.OBJECT_VIEW,
}
_PARTS_OF_RELATIONS = {
    ast.OBJECT_COLUMN,
    ast.OBJECT_POLICY,
    ast.OBJECT_RULE,
    ast.OBJECT_TABCONSTRAINT,
    ast.OBJECT_TRIGGER,
}


def find_tables(script: str) -> Tables:
    """Find the tables of a script."""
    return collect_tables(read_statements(script))


def collect_tables(statements: Iterable[Statement]) -> Tables:
    """Find the tables of these statements."""
    found: dict[Role, dict[TableName, None]] = {role: {} for role in Role}
    complete = True
    for statement in statements:
        complete &= statement.is_known
        if statement.is_known:
            for role, name in _find_uses(statement.tree, frozenset()):
                found[role][name] = None
    return Tables(
        targets=tuple(found[Role.TARGET]),
        referenced=tuple(found[Role.REFERENCED]),
        created=tuple(found[Role.CREATED]),
        read=tuple(found[Role.READ]),
        complete=complete,
    )


def read_name(relation: TreeNode) -> TableName:
    """Return the name in a ``RangeVar``."""
    return relation.schemaname or None, relation.relname


def _find_uses(node: TreeNode, queries: frozenset[str]) -> Iterator[_Use]:
    """List the tables below a node; ``queries`` are names that WITH has given to queries."""
    kind = read_kind(node)
    if kind in _NAMED_BY_STRINGS:
        yield from _find_named_by_strings(node, *_NAMED_BY_STRINGS[kind])
    inside = queries | _read_query_names(node)
    for field, child in iterate_children(node):
        if (kind, field) in _RUNS_LATER:
            continue
        if read_kind(child) == "RangeVar":
            role = _choose_role(node, kind, field)
            name = read_name(child)
            is_query = role is Role.READ and name[0] is None and name[1] in inside
            if role is not None and not is_query:
                yield role, name
        elif read_kind(child) == "WithClause":
            yield from _find_uses_in_queries(child, queries)
        else:
            yield from _find_uses(child, inside)


def _choose_role(owner: TreeNode, kind: str, field: str) -> Role | None:
    """Tell what a table is named for; None if the name is no table's."""
    place = (kind, field)
    if place in _NOT_TABLES or _alters_type(owner, kind):
        return None
    if place in _READ or place == ("CopyStmt", "relation") and not owner.is_from:
        return Role.READ
    if place == ("ViewStmt", "view") and owner.replace:
        return Role.TARGET
    if place in _CREATED:
        return Role.CREATED
    return Role.REFERENCED if place in _REFERENCED else Role.TARGET


def _alters_type(owner: TreeNode, kind: str) -> bool:
    """Tell whether a statement alters a composite type, which is named as tables are."""
    if kind == "AlterTableStmt":
        return bool(owner.objtype == ast.OBJECT_TYPE)
    return kind == "RenameStmt" and bool(owner.rename_type == ast.OBJECT_ATTRIBUTE)


def _read_query_names(node: TreeNode) -> frozenset[str]:
    """Return the names that the WITH of a statement gives to its queries."""
    if not hasattr(node, "with_clause"):
        return frozenset()
    return frozenset(unwrap(item).ctename for item in node.with_clause.ctes)


def _find_uses_in_queries(clause: TreeNode, queries: frozenset[str]) -> Iterator[_Use]:
    """List the tables in a WITH; each query sees those before it, or all if RECURSIVE."""
    expressions = [unwrap(item) for item in clause.ctes]
    if clause.recursive:
        queries |= {expression.ctename for expression in expressions}
    for expression in expressions:
        yield from _find_uses(expression, queries)
        queries |= {expression.ctename}


def _find_named_by_strings(node: TreeNode, kind_field: str, name_field: str) -> Iterator[_Use]:
    """List the tables that DROP, COMMENT and the like name by lists of strings."""
    kind = getattr(node, kind_field)
    if kind not in _RELATIONS | _PARTS_OF_RELATIONS:
        return
    for field, child in iterate_children(node):
        if field == name_field and read_kind(child) == "List":
            name = read_strings(child.items)
            *schema, table = name[:-1] if kind in _PARTS_OF_RELATIONS else name
            yield Role.TARGET, (schema[-1] if schema else None, table)
