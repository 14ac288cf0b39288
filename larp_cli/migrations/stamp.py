"""Recording a revision without running it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.migrations.alembic_api import list_stamp_steps
from larp_cli.migrations.graph import find_unknown
from larp_cli.migrations.guard import Ask, Consent, examine, require_consent
from larp_cli.migrations.project import explained
from larp_cli.migrations.rollback import require_same_stamps
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.run.steps import steps_of_stamps
from larp_cli.migrations.version_table import current_heads, locate
from larp_cli.postgres.errors import translated_errors
from larp_cli.results import Direction, Stamped

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.run.timeouts import Patience
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


def stamp(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    revision: str,
    consent: Consent,
    ask: Ask,
    patience: Patience,
) -> Stamped:
    """Record ``revision`` without running anything.

    Args:
        database: The database, by the URL for DDL.
        project: The revisions.
        observer: Told what is at stake.
        revision: A revision, ``head``, ``heads`` or ``base``.
        consent: What the command line says already.
        ask: Asks for the database's name at a terminal.
        patience: How long to wait for another migrator.

    Raises:
        ConfigurationError: There is no such revision.
        Refused: Consent is missing; nothing was changed.
    """
    database = locate(database, project)
    before = current_heads(database)
    command = f"larp db stamp {shlex.quote(revision)}"
    foreign = bool(find_unknown(project.graph, before))
    planned = _plan_stamp(project, revision, () if foreign else before)
    if planned or foreign:
        require_consent(
            database,
            examine(database),
            consent,
            command=command,
            loss=f"this records {revision} instead of {', '.join(before) or 'base'}"
            " and runs nothing",
            ask=ask,
            observer=observer,
        )
        with migration_mutex(database, wait=patience.mutex_wait, observer=observer) as mutex:
            from larp_cli.migrations.run.runner import Runner

            require_same_stamps(before, current_heads(database))
            if foreign:
                _replace_stamp(mutex, database, planned)
            else:
                Runner(
                    database,
                    project,
                    observer,
                    mutex=mutex,
                    patience=patience,
                    command=lambda _left: command,
                ).run(planned, Direction.STAMP, heads=before)
    return Stamped(
        database=database.name,
        schema=database.schema,
        before=before,
        after=current_heads(database) if planned or foreign else before,
    )


def _plan_stamp(project: Project, revision: str, current: tuple[str, ...]) -> list[Step]:
    """List Alembic's steps from the ``current`` stamps to the wanted ones."""
    with explained(project.config_file):
        return steps_of_stamps(list_stamp_steps(project.script, revision, current))


def _replace_stamp(
    mutex: psycopg.Connection, database: ManagedDatabase, planned: list[Step]
) -> None:
    """Replace stamps that no file stands for, all of them at once.

    Alembic would delete and insert in two transactions, and a crash in between would leave
    a database that looks new.
    """
    from larp_cli.bookkeeping.ledger import Ledger, Run

    ledger = Ledger(database.bookkeeping)
    ledger.ensure(mutex)
    table = database.version_table.identifier
    revisions = [step.revision for step in planned]
    with translated_errors(database.url), mutex.transaction():
        mutex.execute(sql.SQL("DELETE FROM {}").format(table))
        for revision in revisions:
            insert = sql.SQL("INSERT INTO {} (version_num) VALUES (%s)").format(table)
            mutex.execute(insert, (revision,))
        for revision in revisions or ["base"]:
            ledger.write(mutex, Run(revision, Direction.STAMP, 0.0, None))
