"""Plan a migration: list the pending revisions, their SQL and their hazards.

This changes nothing and takes no lock, not even the migration lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.errors import ExtraMissing
from larp_cli.migrations.control import ControlSession, open_control
from larp_cli.migrations.graph import find_heads, has_every_revision
from larp_cli.migrations.lint.squawk import find_squawk
from larp_cli.migrations.migrate import plan_upgrade
from larp_cli.migrations.revisions import describe_revision
from larp_cli.postgres.catalog import read_server_major
from larp_cli.postgres.relations import find_named_tables
from larp_cli.results import Hazard, MigrationPlan, PlannedRevision, TouchedTable

if TYPE_CHECKING:
    from alembic.script import Script

    from larp_cli.migrations.lint.hazards import Candidate
    from larp_cli.migrations.lint.offline import Rendered
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.postgres.database import Database
    from larp_cli.postgres.sql.tables import TableName


def make_plan(
    database: Database,
    project: Project,
    *,
    target: str = "head",
    check: bool = False,
) -> MigrationPlan:
    """Plan a migration to ``target``.

    Args:
        database: The database. A read-only role is enough.
        project: The Alembic project.
        target: As for a migration. ``head`` means all heads if there are several.
        check: Whether an unaccepted hazard makes the exit code 3.

    Raises:
        ConfigurationError: The target does not exist or cannot be reached.
        ExtraMissing: ``check`` is set, and squawk is not installed.
    """
    squawk = find_squawk()
    if check and squawk is None:
        raise ExtraMissing("lint", "looking for hazards")
    with open_control(database, project) as control:
        current = control.read_heads()
        planned = _plan_steps(control, target, current)
        revisions = _describe_steps(control, planned, current, squawk) if planned else ()
    return MigrationPlan(
        database=database.name,
        schema=control.database.schema,
        current=current,
        target=target,
        revisions=revisions,
        hazards_checked=squawk is not None,
        required=check,
    )


def _plan_steps(control: ControlSession, target: str, current: tuple[str, ...]) -> Sequence[Step]:
    graph = control.project.graph
    if target in ("head", "heads") and has_every_revision(graph, current):
        return ()
    if target == "head" and len(find_heads(graph)) > 1:
        target = "heads"
    return plan_upgrade(control, target, current)


def _describe_steps(
    control: ControlSession,
    planned: Sequence[Step],
    current: tuple[str, ...],
    squawk: Path | None,
) -> tuple[PlannedRevision, ...]:
    from larp_cli.migrations.lint.hazards import Candidate, find_hazards
    from larp_cli.migrations.lint.offline import render_sql

    project = control.project
    rendered = render_sql(control.database, project, planned, current)
    candidates = [
        Candidate(Path(project.script.get_revision(item.revision).path), rendered[item.revision])
        for item in planned
    ]
    tables = _find_tables(control, candidates)
    hazards: list[tuple[Hazard, ...]] = [() for _ in candidates]
    if squawk is not None:
        major = read_server_major(control.connection)
        hazards = find_hazards(squawk, candidates, server_major=major, existing=tables)
    return tuple(
        _describe_step(project.script.get_revision(item.revision), candidate, tables, found)
        for item, candidate, found in zip(planned, candidates, hazards, strict=True)
    )


def _find_tables(
    control: ControlSession, candidates: Sequence[Candidate]
) -> dict[TableName, TouchedTable]:
    """Return the existing tables that the SQL names."""
    statements = (item for candidate in candidates for item in candidate.tables)
    names = {
        name for item in statements for name in (*item.targets, *item.referenced, *item.created)
    }
    return find_named_tables(control.connection, names)


def _describe_step(
    script: Script,
    candidate: Candidate,
    tables: dict[TableName, TouchedTable],
    hazards: tuple[Hazard, ...],
) -> PlannedRevision:
    facts = describe_revision(script)
    rendered = candidate.rendered
    names = [name for item in candidate.tables for name in (*item.targets, *item.referenced)]
    return PlannedRevision(
        revision=facts.revision,
        down_revisions=facts.down_revisions,
        description=facts.description,
        path=candidate.path,
        sql=_join_statements(rendered),
        statements=tuple(rendered.statements),
        inspects_database=rendered.inspects_database,
        incomplete=rendered.incomplete,
        tables=tuple(
            {tables[name].name: tables[name] for name in names if name in tables}.values()
        ),
        hazards=hazards,
    )


def _join_statements(rendered: Rendered) -> str | None:
    if rendered.incomplete is not None and not rendered.statements:
        return None
    return "\n\n".join(statement.sql for statement in rendered.statements)
