"""What a migration would do: the pending revisions, their SQL, and what may go wrong.

It looks and changes nothing: no lock is taken, not even the mutex.
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
from larp_cli.postgres.catalog import server_major
from larp_cli.postgres.relations import tables_by_name
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
    """Say what a migration up to ``target`` would do.

    Args:
        database: The database; a role that may only read is enough.
        project: The revisions.
        target: As for a migration; with several heads ``head`` means all of them.
        check: Whether a hazard that is not waived makes the answer a "no".

    Raises:
        ConfigurationError: The target is not a revision that can be reached.
        ExtraMissing: Hazards are to be checked, and squawk is not installed.
    """
    squawk = find_squawk()
    if check and squawk is None:
        raise ExtraMissing("lint", "looking for hazards")
    with open_control(database, project) as control:
        current = control.read_heads()
        planned = _pending(control, target, current)
        revisions = _describe(control, planned, current, squawk) if planned else ()
    return MigrationPlan(
        database=database.name,
        schema=control.database.schema,
        current=current,
        target=target,
        revisions=revisions,
        hazards_checked=squawk is not None,
        required=check,
    )


def _pending(control: ControlSession, target: str, current: tuple[str, ...]) -> Sequence[Step]:
    graph = control.project.graph
    if target in ("head", "heads") and has_every_revision(graph, current):
        return ()
    if target == "head" and len(find_heads(graph)) > 1:
        target = "heads"
    return plan_upgrade(control, target, current)


def _describe(
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
    names = {
        name
        for candidate in candidates
        for item in candidate.tables
        for name in (*item.targets, *item.referenced, *item.created)
    }
    tables = tables_by_name(control.connection, names)
    hazards: list[tuple[Hazard, ...]] = [() for _ in candidates]
    if squawk is not None:
        major = server_major(control.connection)
        hazards = find_hazards(squawk, candidates, server_major=major, existing=tables)
    return tuple(
        _revision(project.script.get_revision(item.revision), candidate, tables, found)
        for item, candidate, found in zip(planned, candidates, hazards, strict=True)
    )


def _revision(
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
        sql=_script(rendered),
        statements=tuple(rendered.statements),
        inspects_database=rendered.inspects_database,
        incomplete=rendered.incomplete,
        tables=tuple(
            {tables[name].name: tables[name] for name in names if name in tables}.values()
        ),
        hazards=hazards,
    )


def _script(rendered: Rendered) -> str | None:
    if rendered.incomplete is not None and not rendered.statements:
        return None
    return "\n\n".join(statement.sql for statement in rendered.statements)
