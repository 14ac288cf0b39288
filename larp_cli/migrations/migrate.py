"""Bringing a database up to a revision: ask first, then one migrator at a time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from larp_cli.bookkeeping.environment import (
    read_environment,
    require_same_environment,
    stamp_environment,
)
from larp_cli.bookkeeping.ledger import Ledger
from larp_cli.errors import ConfigurationError
from larp_cli.hints import suggest_newer_code
from larp_cli.migrations.alembic_api import list_upgrade_steps
from larp_cli.migrations.graph import find_heads, find_unknown, has_every_revision
from larp_cli.migrations.project import explained
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.run.steps import steps_of_revisions
from larp_cli.migrations.version_table import current_heads, locate, locate_from_files
from larp_cli.results import AppliedRevision, Direction, Migrated

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.run.timeouts import Patience
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


def migrate(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    target: str = "head",
    patience: Patience,
) -> Migrated:
    """Apply the pending revisions up to ``target``.

    Args:
        database: The database, whose server must be up.
        project: The revisions.
        observer: Told of every revision.
        target: A revision, a unique beginning of one, ``head``, ``heads`` or ``+N``.
        patience: How long to wait for locks and for another migrator.

    Raises:
        ConfigurationError: The target is not a revision that can be reached.
        Refused: The database belongs to another environment.
        Locked: Another migrator did not end in time, or a table stayed locked.
        MigrationFailed: A revision failed; those before it are committed.
    """
    located, before = locate_from_files(database, project)
    try:
        return _migrate(located, project, observer, before, target, patience)
    except _Elsewhere as elsewhere:  # env.py, once it ran, did not do what its text says
        located = elsewhere.place
        before = current_heads(located)
        return _migrate(located, project, observer, before, target, patience)


class _Elsewhere(Exception):
    """The version table is in another place than the mutex was taken for."""

    def __init__(self, place: ManagedDatabase) -> None:
        super().__init__(place.schema)
        self.place = place


def _migrate(
    database: ManagedDatabase,
    project: Project,
    observer: Observer,
    before: tuple[str, ...],
    target: str,
    patience: Patience,
) -> Migrated:
    began = time.monotonic()
    applied: tuple[AppliedRevision, ...] = ()
    if _has_work(database, project, target, before):
        require_own_environment(database, "larp db migrate")
        with migration_mutex(database, wait=patience.mutex_wait, observer=observer) as mutex:
            # Another migrator may have done the work while we waited.
            before = current_heads(database)
            if not _is_done(project, target, before):
                _require_place(database, project)
                from larp_cli.migrations.run.runner import Runner

                # Before anything is made: what is stamped is guarded from its first table on.
                stamp_environment(mutex, database, command="larp db migrate")
                runner = Runner(
                    database,
                    project,
                    observer,
                    mutex=mutex,
                    patience=patience,
                    command=lambda left: _command(target, left),
                )
                steps = plan_upgrade(database, project, target, before)
                applied = runner.run(steps, Direction.UP, heads=before)
    return Migrated(
        database=database.name,
        schema=database.schema,
        before=before,
        after=current_heads(database) if applied else before,
        applied=applied,
        seconds=time.monotonic() - began,
    )


def _require_place(database: ManagedDatabase, project: Project) -> None:
    """Let env.py itself have the last word on where its version table is."""
    if project.is_legible and (place := locate(database, project)) != database:
        raise _Elsewhere(place)


def plan_upgrade(
    database: ManagedDatabase, project: Project, target: str, current: tuple[str, ...]
) -> Sequence[Step]:
    """List the steps from the ``current`` heads up to ``target``.

    Raises:
        ConfigurationError: The database or the target names a revision that is not on disk.
    """
    if not target.strip():
        raise ConfigurationError("the revision to migrate to is empty", hint="larp db migrate head")
    require_known(database, project, current)
    heads = find_heads(project.graph)
    if target == "head" and len(heads) > 1:
        raise ConfigurationError(
            f"the revisions have several heads: {', '.join(heads)}",
            hint=f"alembic -c {project.config_file} merge heads, or larp db migrate heads",
        )
    with explained(project.config_file):
        steps = list_upgrade_steps(project.script, target, current)
    return steps_of_revisions(steps)


def require_known(database: ManagedDatabase, project: Project, current: tuple[str, ...]) -> None:
    """Refuse to touch a database that newer code has migrated.

    Raises:
        ConfigurationError: A stamped revision is not on disk.
    """
    missing = find_unknown(project.graph, current)
    if missing:
        with database.connection() as connection:
            runs = Ledger(database.bookkeeping).read_upgrades(connection, missing)
        raise ConfigurationError(
            f"the database is ahead of this code: it is at {', '.join(missing)},"
            " which is not among the revision files",
            hint=suggest_newer_code(runs),
        )


def require_own_environment(database: ManagedDatabase, command: str) -> str | None:
    """Refuse a database that is stamped with another environment; returns the stamp.

    Raises:
        Refused: ENVIRONMENT is not what is stamped in the database.
    """
    with database.connection() as connection:
        stamped = read_environment(connection, database.bookkeeping)
    require_same_environment(database, stamped, command=command)
    return stamped


def _command(target: str, left: int) -> str:
    """Write the command that goes on where a failed run stopped, with so many steps left."""
    if target in ("head", "heads"):
        return "larp db migrate"
    relative = target.startswith("+")  # to where the database stood before
    return f"larp db migrate {f'+{left}' if relative else shlex.quote(target)}"


def _has_work(
    database: ManagedDatabase, project: Project, target: str, current: tuple[str, ...]
) -> bool:
    """Look whether anything is pending, without Alembic where that is possible."""
    if _is_done(project, target, current):
        return False
    if project.legible_graph is not None and target in ("head", "heads"):
        return True
    return bool(plan_upgrade(database, project, target, current))


def _is_done(project: Project, target: str, current: tuple[str, ...]) -> bool:
    """Look whether the database is at head, as far as that can be known without Alembic."""
    graph = project.legible_graph
    if target not in ("head", "heads") or graph is None or not has_every_revision(graph, current):
        return False
    # Of several heads none is the head: plan_upgrade() says so.
    return target == "heads" or len(find_heads(graph)) == 1
