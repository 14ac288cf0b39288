"""Undoing revisions."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from larp_cli.errors import Refused
from larp_cli.migrations.alembic_api import list_downgrade_steps
from larp_cli.migrations.guard import Ask, Consent, Stake, examine, require_consent
from larp_cli.migrations.migrate import require_known
from larp_cli.migrations.project import explained
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.run.steps import steps_of_revisions
from larp_cli.migrations.version_table import current_heads, locate
from larp_cli.postgres.relations import tables_by_name
from larp_cli.results import AppliedRevision, Direction, RolledBack

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.run.timeouts import Patience
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


def rollback(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    target: str,
    consent: Consent,
    ask: Ask,
    patience: Patience,
) -> RolledBack:
    """Undo revisions down to ``target``, each in a transaction of its own.

    Args:
        database: The database, by the URL for DDL.
        project: The revisions.
        observer: Told what will be undone, and of every revision.
        target: A revision that stays, ``base``, or ``-N``.
        consent: What the command line says already.
        ask: Asks for the database's name at a terminal.
        patience: How long to wait for locks and for another migrator.

    Raises:
        ConfigurationError: The target is not below where the database stands.
        Refused: Consent is missing; nothing was changed.
        MigrationFailed: A revision failed; those before it are undone.
    """
    began = time.monotonic()
    database = locate(database, project)
    before = current_heads(database)
    undone: tuple[AppliedRevision, ...] = ()
    command = f"larp db rollback {_way(target)}"
    planned = plan_downgrade(database, project, target, before)
    if planned:
        require_consent(
            database,
            # Steps of their own, as those that were rendered do not run any more.
            _stake(database, project, plan_downgrade(database, project, target, before), observer),
            consent,
            command=command,
            loss="this undoes revisions, with the data in what they created",
            ask=ask,
            observer=observer,
        )
        with migration_mutex(database, wait=patience.mutex_wait, observer=observer) as mutex:
            from larp_cli.migrations.run.runner import Runner

            require_same_stamps(before, current_heads(database))
            runner = Runner(
                database,
                project,
                observer,
                mutex=mutex,
                patience=patience,
                command=lambda left: f"larp db rollback {_way(target, left)}",
            )
            undone = runner.run(planned, Direction.DOWN, heads=before)
    return RolledBack(
        database=database.name,
        schema=database.schema,
        before=before,
        after=current_heads(database) if undone else before,
        undone=undone,
        seconds=time.monotonic() - began,
    )


def _stake(
    database: ManagedDatabase, project: Project, planned: Sequence[Step], observer: Observer
) -> Stake:
    """Tell what each revision will undo, and examine the tables that it touches.

    Of revisions whose SQL cannot be told beforehand every table of the schema is at stake.
    """
    from larp_cli.migrations.lint.offline import render_sql
    from larp_cli.postgres.sql.tables import TableName, find_tables

    rendered = render_sql(database, project, planned, current_heads(database))
    names: set[TableName] = set()
    for item in planned:
        observer.note(f"to be undone: {item.revision} {item.description}")
        undoing = rendered[item.revision]
        for statement in undoing.statements:
            observer.note(f"  {' '.join(statement.sql.split())}")
            names.update(find_tables(statement.sql).targets)
        if undoing.incomplete is not None:
            observer.note(f"  incomplete: {undoing.incomplete}")
    stake = examine(database)
    if any(undoing.incomplete is not None for undoing in rendered.values()):
        return stake
    with database.connection() as connection:
        touched = {table.name: table for table in tables_by_name(connection, names).values()}
    return replace(stake, touched=tuple(touched[name] for name in sorted(touched)))


def _way(target: str, left: int | None = None) -> str:
    """Write the target as the command line takes it; ``left`` are the steps still to be done."""
    if target.startswith("-"):
        return f"--steps {target[1:] if left is None else left}"
    return f"--to {shlex.quote(target)}"


def plan_downgrade(
    database: ManagedDatabase, project: Project, target: str, current: tuple[str, ...]
) -> Sequence[Step]:
    """List the steps from the ``current`` heads down to ``target``.

    Raises:
        ConfigurationError: The target is unknown, or not below where the database stands.
    """
    require_known(database, project, current)
    with explained(project.config_file):
        steps = list_downgrade_steps(project.script, target, current)
    return steps_of_revisions(steps)


def require_same_stamps(seen: tuple[str, ...], found: tuple[str, ...]) -> None:
    """Refuse to go on when another migrator moved the database while the operator looked.

    Raises:
        Refused: It did; nothing was changed.
    """
    if seen != found:
        raise Refused(
            f"the database moved from {', '.join(seen) or 'base'} to"
            f" {', '.join(found) or 'base'} meanwhile; nothing was changed",
            hint="larp db status",
        )
