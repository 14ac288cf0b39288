"""Compare enumerated types, which Alembic's autogenerate does not, and create them for columns.

What differs is added to a revision before env.py's own ``process_revision_directives``.
Sources: PostgreSQL's manual, ALTER TYPE; Alembic's, "Customizing Revision Generation" and
"Autogenerating Custom Operation Directives".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import (
    AddColumnOp,
    CreateTableOp,
    ExecuteSQLOp,
    MigrationScript,
    OpContainer,
    UpgradeOps,
)
from sqlalchemy.dialects.postgresql import ARRAY, ENUM
from sqlalchemy.dialects.postgresql.base import PGInspector

from larp_cli.migrations.alembic_api import open_comparison, render_operation

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

type _Name = tuple[str | None, str]
"""Schema, or None where the search path decides; and name."""


class AddLabels(MigrateOperation):
    """Labels that the models have and the database's type lacks, each with its place."""

    def __init__(self, type_name: str, places: dict[str, str]) -> None:
        self.type_name, self.places = type_name, places

    def reverse(self) -> MigrateOperation:
        """Keep them: PostgreSQL has no statement that drops a label."""
        return KeepLabels(self)

    def to_diff_tuple(self) -> Any:
        """Describe them as Alembic does its own differences."""
        return [("add_label", self.type_name, label) for label in self.places]


class KeepLabels(MigrateOperation):
    """What a downgrade can do about labels that were added: nothing."""

    def __init__(self, added: AddLabels) -> None:
        self.added = added

    def reverse(self) -> MigrateOperation:
        """Add them again."""
        return self.added

    def to_diff_tuple(self) -> Any:
        """Describe them as Alembic does its own differences."""
        return [("remove_label", self.added.type_name, label) for label in self.added.places]


class ByHand(MigrateOperation):
    """A difference that no single statement undoes."""

    def __init__(self, *difference: str) -> None:
        self.difference = difference

    def reverse(self) -> MigrateOperation:
        """Return itself: the author of the upgrade writes the downgrade too."""
        return self

    def to_diff_tuple(self) -> tuple[str, ...]:
        """Describe it as Alembic does its own differences."""
        return self.difference


class CreateType(ExecuteSQLOp):
    """A type that a new column needs: only `op.create_table` makes those of its own."""

    def __init__(self, type_name: str, labels: Iterable[str]) -> None:
        super().__init__(
            _escape_text(f"CREATE TYPE {type_name} AS ENUM ({_join_literals(labels)})")
        )
        self.type_name = type_name

    def reverse(self) -> MigrateOperation:
        """Drop it, after the column."""
        return ExecuteSQLOp(f"DROP TYPE {self.type_name}")


def describe_difference(difference: tuple[str, ...]) -> str:
    """Say what one of the differences above means."""
    kind, type_name, *facts = difference
    if kind == "order_labels":
        theirs, ours = facts
        return f"type {type_name} has the order {theirs} in the database, {ours} in the models"
    where = {
        "add_label": "in the models, not in the database",
        "remove_label": "in the database, not in the models",
    }
    return f"label {_quote_literal(facts[0])} of type {type_name} is {where[kind]}"


def native_enum(kind: Any, dialect: sa.Dialect) -> ENUM | None:
    """Find the enumerated type that a column's type is, or is an array of."""
    impl = kind.dialect_impl(dialect)
    if isinstance(impl, sa.types.TypeDecorator):
        impl = impl.impl_instance
    if isinstance(impl, sa.ARRAY):
        return native_enum(impl.item_type, dialect)
    return impl if isinstance(impl, ENUM) and impl.name else None


def add_enum_changes(context: MigrationContext, script: MigrationScript) -> None:
    """Add what differs in enumerated types to the newest operations of a revision."""
    autogen = open_comparison(context)
    upgrade, downgrade = script.upgrade_ops_list[-1], script.downgrade_ops_list[-1]
    # Types before the labels of others, and both before the tables that use them.
    first = [*_create_types(autogen, upgrade), *_compare_labels(autogen)]
    upgrade.ops[:0] = first
    downgrade.ops.extend(step.reverse() for step in reversed(first))


def _compare_labels(autogen: AutogenContext) -> Iterator[MigrateOperation]:
    """Find what differs, in types that are on both sides."""
    ours = dict(_find_in_models(autogen))
    theirs = _find_in_database(autogen) if ours else {}
    for name in [name for name in ours if name in theirs]:
        yield from _compare_type(_qualify(autogen, name), theirs[name], ours[name])


def _create_types(autogen: AutogenContext, upgrade: UpgradeOps) -> Iterator[MigrateOperation]:
    """Make the types of new columns, where neither the database nor a new table has them."""
    steps = list(_walk_steps(upgrade.ops))
    wanted = dict(_find_enums(autogen, (it.column for it in steps if isinstance(it, AddColumnOp))))
    tables = [step for step in steps if isinstance(step, CreateTableOp)]
    columns = [item for table in tables for item in table.columns if isinstance(item, sa.Column)]
    created = dict(_find_enums(autogen, columns))
    there = _find_in_database(autogen) if wanted or created else {}
    for column in columns:
        kind = native_enum(column.type, autogen.dialect)
        if kind is not None and (kind.schema, str(kind.name)) in there:
            column.type = _copy_uncreated(column.type, autogen.dialect)
    there.update(created)
    for name, labels in wanted.items():
        if name not in there:
            yield CreateType(_qualify(autogen, name), labels)


def _copy_uncreated(kind: Any, dialect: sa.Dialect) -> Any:
    """Copy the type of a new table's column, so that the table does not create it.

    The type exists already, because another table created it, and stays if this one is dropped.
    """
    impl = kind.dialect_impl(dialect)
    if isinstance(impl, sa.types.TypeDecorator):
        impl = impl.impl_instance
    if isinstance(impl, sa.ARRAY):
        item = _copy_uncreated(impl.item_type, dialect)
        return ARRAY(item, as_tuple=impl.as_tuple, dimensions=impl.dimensions)
    return ENUM(*impl.enums, name=impl.name, schema=impl.schema, create_type=False)


def _walk_steps(steps: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    for step in steps:
        yield step
        if isinstance(step, OpContainer):
            yield from _walk_steps(step.ops)


def _find_in_models(autogen: AutogenContext) -> Iterator[tuple[_Name, list[str]]]:
    for table in autogen.sorted_tables:
        if autogen.run_object_filters(table, table.name, "table", False, None):
            yield from _find_enums(autogen, table.columns)


def _find_enums(
    autogen: AutogenContext, columns: Iterable[sa.Column[Any]]
) -> Iterator[tuple[_Name, list[str]]]:
    for column in columns:
        kind = native_enum(column.type, autogen.dialect)
        if kind is not None and kind.enums:  # or it only names a type made elsewhere
            yield (kind.schema, str(kind.name)), kind.enums


def _find_in_database(autogen: AutogenContext) -> dict[_Name, list[str]]:
    inspector = sa.inspect(autogen.connection)
    assert isinstance(inspector, PGInspector)
    found: dict[_Name, list[str]] = {}
    for kind in inspector.get_enums("*"):
        found[kind["schema"], kind["name"]] = kind["labels"]
        if kind["visible"]:
            found[None, kind["name"]] = kind["labels"]
    return found


def _qualify(autogen: AutogenContext, name: _Name) -> str:
    quote = autogen.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in name if part)


def _compare_type(name: str, theirs: list[str], ours: list[str]) -> Iterator[MigrateOperation]:
    """Compare labels in their order, which is the order in which they sort."""
    shared = [label for label in ours if label in theirs]
    first = f" BEFORE {_quote_literal(shared[0])}" if shared else ""
    places = {
        label: f" AFTER {_quote_literal(before)}" if before is not None else first
        for before, label in zip([None, *ours], ours, strict=False)
        if label not in theirs
    }
    if places:
        yield AddLabels(name, places)
    for label in theirs:
        if label not in ours:
            yield ByHand("remove_label", name, label)
    order = [label for label in theirs if label in ours]
    if order != shared:
        yield ByHand("order_labels", name, _join_literals(order), _join_literals(shared))


def _join_literals(labels: Iterable[str]) -> str:
    return ", ".join(map(_quote_literal, labels))


def _quote_literal(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"


def _escape_text(statement: str) -> str:
    """Escape what is a parameter to ``text()``, which Alembic makes of a statement."""
    return re.sub(r":(?=\w)", r"\:", statement)


@renderers.dispatch_for(AddLabels)
def _render_add(autogen: AutogenContext, step: AddLabels) -> list[str]:
    add = f"ALTER TYPE {step.type_name} ADD VALUE IF NOT EXISTS"
    statements = (f"{add} {_quote_literal(label)}{place}" for label, place in step.places.items())
    return [render_operation(autogen, ExecuteSQLOp(_escape_text(text))) for text in statements]


@renderers.dispatch_for(KeepLabels)
def _render_keep(_autogen: AutogenContext, step: KeepLabels) -> str:
    kept = _join_literals(step.added.places)
    return f"pass  # PostgreSQL takes no label out of {step.added.type_name} again: {kept}"


@renderers.dispatch_for(ByHand)
def _render_by_hand(_autogen: AutogenContext, step: ByHand) -> str:
    return f"# By hand: {describe_difference(step.difference)}."
