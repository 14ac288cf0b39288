"""Labels of enumerated types, which Alembic's autogenerate does not compare.

A plugin for Alembic: a context that names it in ``autogenerate_plugins`` finds what differs.
Sources: PostgreSQL's manual, ALTER TYPE; Alembic's, "Plugins" and "Autogenerating Custom
Operation Directives".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import UpgradeOps
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy.dialects.postgresql import ENUM

PLUGIN = "larp_cli.enum_labels"


class AddLabel(MigrateOperation):
    """A label that the models have and the database's type lacks."""

    def __init__(self, type_name: str, label: str, place: str) -> None:
        self.type_name, self.label, self.place = type_name, label, place

    def reverse(self) -> MigrateOperation:
        """Keep it: PostgreSQL has no statement that drops a label."""
        return KeepLabel(self)

    def to_diff_tuple(self) -> tuple[str, ...]:
        """Describe it as Alembic does its own differences."""
        return ("add_label", self.type_name, self.label)


class KeepLabel(MigrateOperation):
    """What a downgrade can do about a label that was added: nothing."""

    def __init__(self, added: AddLabel) -> None:
        self.added = added

    def reverse(self) -> MigrateOperation:
        """Add it again."""
        return self.added

    def to_diff_tuple(self) -> tuple[str, ...]:
        """Describe it as Alembic does its own differences."""
        return ("remove_label", self.added.type_name, self.added.label)


class ByHand(MigrateOperation):
    """A difference that no single statement undoes."""

    def __init__(self, *difference: str) -> None:
        self.difference = difference

    def reverse(self) -> MigrateOperation:
        """Stay what it is: whoever writes the upgrade has to write the downgrade."""
        return self

    def to_diff_tuple(self) -> tuple[str, ...]:
        """Describe it as Alembic does its own differences."""
        return self.difference


def in_words(difference: tuple[str, ...]) -> str:
    """Say what one of the differences above means."""
    kind, type_name, *facts = difference
    if kind == "order_labels":
        theirs, ours = facts
        return f"type {type_name} has the order {theirs} in the database, {ours} in the models"
    where = {
        "add_label": "in the models, not in the database",
        "remove_label": "in the database, not in the models",
    }
    return f"label {_literal(facts[0])} of type {type_name} is {where[kind]}"


def native_enum(kind: Any, dialect: sa.Dialect) -> ENUM | None:
    """Find the enumerated type that a column's type is, or is an array of."""
    impl = kind.dialect_impl(dialect)
    if isinstance(impl, sa.types.TypeDecorator):
        impl = impl.impl_instance
    if isinstance(impl, sa.ARRAY):
        return native_enum(impl.item_type, dialect)
    return impl if isinstance(impl, ENUM) and impl.name else None


def _compare(
    autogen: AutogenContext, upgrade: UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    """Find what differs, in types that are on both sides."""
    modelled = {(kind.schema, kind.name): kind for kind in _modelled(autogen)}
    # Where this library is in use, it compares the labels itself.
    if modelled and "alembic_postgresql_enum" not in sys.modules:
        there: dict[tuple[str | None, str], list[str]] = {}
        for found in sa.inspect(autogen.connection).get_enums("*"):
            there[found["schema"], found["name"]] = found["labels"]
            if found["visible"]:
                there[None, found["name"]] = found["labels"]
        quote = autogen.dialect.identifier_preparer.quote
        for (schema, name), kind in modelled.items():
            if (schema, name) in there and kind.enums:
                qualified = ".".join(quote(part) for part in (schema, name) if part)
                upgrade.ops.extend(_differences(qualified, there[schema, name], kind.enums))
    return PriorityDispatchResult.CONTINUE


def _modelled(autogen: AutogenContext) -> Iterator[ENUM]:
    for table in autogen.sorted_tables:
        if autogen.run_object_filters(table, table.name, "table", False, None):
            kinds = (native_enum(column.type, autogen.dialect) for column in table.columns)
            yield from (kind for kind in kinds if kind is not None)


def _differences(name: str, theirs: list[str], ours: list[str]) -> Iterator[MigrateOperation]:
    """Compare labels in their order, which is the order in which they sort."""
    known = [label for label in ours if label in theirs]
    for number, label in enumerate(ours):
        if label not in theirs:
            place = ""
            if number:
                place = f" AFTER {_literal(ours[number - 1])}"
            elif known:
                place = f" BEFORE {_literal(known[0])}"
            yield AddLabel(name, label, place)
    for label in theirs:
        if label not in ours:
            yield ByHand("remove_label", name, label)
    shared = [label for label in theirs if label in ours]
    if shared != known:
        yield ByHand("order_labels", name, *(", ".join(map(_literal, x)) for x in (shared, known)))


def _literal(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"


@renderers.dispatch_for(AddLabel)
def _render_add(_autogen: AutogenContext, step: AddLabel) -> str:
    value = _literal(step.label) + step.place
    # Alembic makes text() of it, to which :name is a parameter.
    statement = re.sub(r":(?=\w)", r"\:", f"ALTER TYPE {step.type_name} ADD VALUE IF NOT EXISTS {value}")
    return f"op.execute({statement!r})"


@renderers.dispatch_for(KeepLabel)
def _render_keep(_autogen: AutogenContext, step: KeepLabel) -> list[str]:
    label, name = _literal(step.added.label), step.added.type_name
    return [f"# PostgreSQL cannot take the label {label} out of {name} again.", "pass"]


@renderers.dispatch_for(ByHand)
def _render_by_hand(_autogen: AutogenContext, step: ByHand) -> str:
    return f"# By hand: {in_words(step.difference)}."


def setup(plugin: Plugin) -> None:
    """Register the comparison with Alembic."""
    plugin.add_autogenerate_comparator(
        _compare, "schema", qualifier="postgresql", priority=DispatchPriority.FIRST
    )


Plugin.setup_plugin_from_module(sys.modules[__name__], PLUGIN)
