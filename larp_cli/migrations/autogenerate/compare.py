"""Compare the models with the schema, with Alembic's autogenerate and the project's env.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from larp_cli.bookkeeping.tables import BOOKKEEPING_TABLES
from larp_cli.errors import ConfigurationError
from larp_cli.migrations.alembic_api import (
    compare_models,
    list_differences,
    list_operations,
    list_revision_options,
    new_revision,
    open_comparison,
    render_operation,
)
from larp_cli.migrations.project import translate_alembic_errors
from larp_cli.postgres.errors import translate_errors

if TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext
    from alembic.operations import MigrateOperation
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext, MigrationStep
    from alembic.script import ScriptDirectory

    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between models and schema."""

    has_models: bool
    """Whether env.py gives Alembic anything to compare."""
    differences: tuple[str, ...] = ()
    """Each in plain words."""
    by_hand: tuple[str, ...] = ()
    """Those for which no operation can be written."""
    operations: tuple[str, ...] = ()
    """Alembic operations, as Python, that would make the schema equal the models."""


def compare(database: Database, project: Project) -> Comparison:
    """Compare the models with a database at head, with the filters of env.py.

    Raises:
        ConfigurationError: env.py fails.
    """
    found = Comparison(has_models=False)

    def look(revision: RevisionContext, context: MigrationContext) -> None:
        nonlocal found
        found = _describe_comparison(revision, context)

    autogenerate(database, project, open_revision(project, project.script), look)
    return found


def open_revision(
    project: Project, script: ScriptDirectory, message: str | None = None
) -> RevisionContext:
    """Begin a revision that follows the head."""
    return new_revision(project.open_config(), script, message)


def autogenerate(
    database: Database,
    project: Project,
    revision: RevisionContext,
    look: Callable[[RevisionContext, MigrationContext], None],
) -> None:
    """Fill a revision with what differs; ``look`` is called where there are models at all.

    Raises:
        ConfigurationError: env.py fails, or the database is not at head.
    """
    has_models = False

    def adjust(options: dict[str, Any]) -> None:
        nonlocal has_models
        has_models = options.get("target_metadata") is not None
        if has_models and not project.own:
            _leave_out_bookkeeping(options)
        _compare_enums(options)

    def fill(stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        if has_models:
            compare_models(revision, stamps, context)
            look(revision, context)
        return ()

    with (
        translate_alembic_errors(project.config_file),
        translate_errors(database.url),
        database.engine() as engine,
        engine.connect() as connection,
    ):
        project.run_environment(
            connection,
            fill,
            read_only=True,
            adjust=adjust,
            **list_revision_options(revision),
        )


def _leave_out_bookkeeping(options: dict[str, Any]) -> None:
    """Keep larp's own tables out of the comparison, which would drop them."""
    theirs = options.get("include_name")

    def include(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        if kind == "table" and name in BOOKKEEPING_TABLES:
            return False
        return theirs is None or bool(theirs(name, kind, parents))

    options["include_name"] = include


def _compare_enums(options: dict[str, Any]) -> None:
    """Compare enumerated types too, unless alembic-postgresql-enum does."""
    from larp_cli.migrations.autogenerate.enums import add_enum_changes

    theirs = options.get("process_revision_directives")

    def process(context: MigrationContext, revision: Any, scripts: list[MigrationScript]) -> None:
        if "alembic_postgresql_enum" not in sys.modules:
            add_enum_changes(context, scripts[-1])
        if theirs is not None:
            theirs(context, revision, scripts)

    options["process_revision_directives"] = process


def by_hand(steps: Iterable[MigrateOperation]) -> tuple[str, ...]:
    """Describe the steps that somebody has to write."""
    from larp_cli.migrations.autogenerate.enums import ByHand, describe_difference

    return tuple(describe_difference(step.difference) for step in steps if isinstance(step, ByHand))


def _describe_comparison(revision: RevisionContext, context: MigrationContext) -> Comparison:
    comparison = open_comparison(context)
    differences: list[str] = []
    operations: list[str] = []
    hand_work: list[str] = []
    for script in list_operations(revision):
        for upgrade in script.upgrade_ops_list:
            differences.extend(_describe_differences(list_differences(upgrade)))
            operations.extend(render_operation(comparison, step) for step in _steps(upgrade.ops))
            hand_work.extend(by_hand(upgrade.ops))
    return Comparison(True, tuple(differences), tuple(hand_work), tuple(operations))


def _steps(operations: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    return (step for step in operations if getattr(step, "ops", True))


def _describe_differences(differences: Iterable[Any]) -> Iterator[str]:
    """Describe Alembic's tuples; the changes of one column are a list of tuples."""
    from larp_cli.migrations.autogenerate.enums import describe_difference

    for difference in differences:
        if isinstance(difference, list):
            yield from _describe_differences(difference)
            continue
        kind, *facts = difference
        verb, _, what = str(kind).partition("_")
        if what in ("label", "labels"):
            yield describe_difference(difference)
        elif verb == "modify":
            yield _describe_column(what, facts)
        elif verb in ("add", "remove") and not what.endswith("comment"):
            where = (
                "in the models, not in the database"
                if verb == "add"
                else "in the database, not in the models"
            )
            yield f"{_name_object(what, facts)} is {where}"
        elif verb != "execute":  # a hook's own SQL is a consequence, not a difference
            yield f"{str(kind).replace('_', ' ')}: {', '.join(map(str, facts))}"


def _describe_column(what: str, facts: list[Any]) -> str:
    schema, table, column, _, theirs, ours = facts
    name = f"{_qualify(schema, table)}.{column}"
    if what == "nullable":
        states = {True: "takes NULL", False: "takes no NULL"}
        return f"column {name} {states[theirs]} in the database, {states[ours]} in the models"
    values = f"{_describe_value(theirs)} in the database, {_describe_value(ours)} in the models"
    return f"column {name} has the {what} {values}"


def _describe_value(value: Any) -> str:
    given = getattr(value, "arg", value)  # a server default
    return "none" if given is None or given is False else str(given)


_KINDS = {"fk": "foreign key"}


def _name_object(what: str, facts: list[Any]) -> str:
    if what == "column":
        schema, table, column = facts[:3]
        return f"column {_qualify(schema, table)}.{column.name}"
    item = facts[0]
    if what == "table":
        return f"table {_qualify(item.schema, item.name)}"
    columns = ", ".join(column.name for column in getattr(item, "columns", ()))
    label = item.name if isinstance(item.name, str) else f"({columns})"
    return f"{_KINDS.get(what, what)} {label} on {_qualify(item.table.schema, item.table.name)}"


def _qualify(schema: str | None, table: str) -> str:
    return f"{schema}.{table}" if schema else table


def require_models(comparison_ran: bool, project: Project) -> None:
    """Refuse to write a revision from models that are not there.

    Raises:
        ConfigurationError: env.py names no metadata.
    """
    if not comparison_ran:
        raise ConfigurationError(
            f"the env.py of {project.config_file} has no target_metadata to compare with",
            hint="write an empty revision and fill it: larp db revision --empty -m TEXT",
        )
