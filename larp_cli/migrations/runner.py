"""Applying revisions: ask first, then one migrator, then a transaction per revision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from larp_cli.database.errors import driver_error, translate
from larp_cli.errors import ConfigurationError, LarpError, Locked, MigrationFailed
from larp_cli.migrations.mutex import migration_mutex
from larp_cli.migrations.project import explained
from larp_cli.migrations.state import current_heads, placed
from larp_cli.results import AppliedRevision, Migrated

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy as sa

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import Script
    from larp_cli.database.target import Database
    from larp_cli.migrations.project import Project
    from larp_cli.observer import Observer


def migrate(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    target: str = "head",
    mutex_wait: float,
) -> Migrated:
    """Apply the pending revisions up to ``target``.

    Args:
        database: The database, whose server must be up.
        project: The revisions.
        observer: Told of every revision.
        target: A revision, a unique beginning of one, ``head``, ``heads`` or ``+N``.
        mutex_wait: Seconds to wait for another migrator to end.

    Raises:
        ConfigurationError: The target is not a revision that can be reached.
        Locked: Another migrator did not end in time.
        MigrationFailed: A revision failed; those before it are committed.
    """
    began = time.monotonic()
    database = placed(database, project)
    before = current_heads(database, project)
    applied: tuple[AppliedRevision, ...] = ()
    if not _is_done(project, target, before) and steps_to(project, target, before):
        with migration_mutex(database, wait=mutex_wait, observer=observer) as mutex:
            # Another migrator may have done the work while we waited.
            before = current_heads(database, project)
            steps = steps_to(project, target, before)
            applied = _apply(database, project, observer, steps, mutex)
    return Migrated(
        database=database.name,
        schema=database.schema,
        before=before,
        after=current_heads(database, project) if applied else before,
        applied=applied,
        seconds=time.monotonic() - began,
    )


def _is_done(project: Project, target: str, current: tuple[str, ...]) -> bool:
    """Look whether the database is at head, as far as that can be known without Alembic."""
    return target in ("head", "heads") and project.heads_on_disk == frozenset(current)


def steps_to(project: Project, target: str, current: tuple[str, ...]) -> Sequence[RevisionStep]:
    """List the steps from the ``current`` heads up to ``target``.

    Raises:
        ConfigurationError: The database or the target names a revision that is not on disk.
    """
    known = {item.revision for item in project.script.walk_revisions()}
    missing = [revision for revision in current if revision not in known]
    if missing:
        raise ConfigurationError(
            f"the database is ahead of this code: it is at {', '.join(missing)},"
            " which is not among the revision files",
            hint="deploy the version of the code that holds this revision",
        )
    heads = project.script.get_heads()
    if target == "head" and len(heads) > 1:
        raise ConfigurationError(
            f"the revisions have several heads: {', '.join(heads)}",
            hint=f"alembic -c {project.config_file} merge heads, or larp db migrate heads",
        )
    with explained(project.config_file):
        return project.script._upgrade_revs(target, current)  # type: ignore[arg-type]


def _apply(
    database: Database,
    project: Project,
    observer: Observer,
    steps: Sequence[RevisionStep],
    mutex: psycopg.Connection,
) -> tuple[AppliedRevision, ...]:
    if not steps:
        return ()
    applied: list[AppliedRevision] = []
    observer.started("applying revisions", len(steps))
    with database.engine(observer=observer) as engine, engine.connect() as connection:
        for number, step in enumerate(steps, start=1):
            revision = step.revision
            observer.progress(f"{revision.revision} {revision.doc}", number - 1)
            began = time.monotonic()
            try:
                mutex.execute("SELECT")  # whoever lost the mutex must not go on
                _run(connection, project, step)
            except KeyboardInterrupt:
                observer.note(f"stopped in revision {revision.revision}; {_committed(applied)}")
                raise
            except Exception as error:
                raise failure(database, revision, applied, error) from error
            applied.append(
                AppliedRevision(
                    revision=revision.revision,
                    description=revision.doc,
                    seconds=time.monotonic() - began,
                )
            )
    observer.finished("")
    return tuple(applied)


def _run(connection: sa.Connection, project: Project, step: RevisionStep) -> None:
    """Run one revision in an environment of its own, which commits it."""
    contexts: list[MigrationContext] = []

    def steps(_heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        contexts.append(context)
        return [step]

    project.run_environment(connection, steps)
    if connection.in_transaction():
        connection.rollback()
        # In a transaction that env.py began before it configured, Alembic commits nothing.
        if step.revision.revision not in contexts[0].get_current_heads():
            raise ConfigurationError(
                f"{project.config_file} leaves its transaction open, so nothing was committed"
            )
        connection.rollback()


def failure(
    database: Database, revision: Script, applied: Sequence[AppliedRevision], error: Exception
) -> LarpError:
    """Say which revision failed and why, and which are committed."""
    original = driver_error(error)
    cause = error if isinstance(error, LarpError) else None
    if original is not None:
        cause = translate(original, database.url)
    reason = cause.message if cause is not None else f"{type(error).__name__}: {error}"
    message = (
        f"revision {revision.revision} ({revision.doc}) failed: {reason}; {_committed(applied)}"
    )
    if isinstance(cause, Locked):
        return Locked(message, hint="when the lock is free: larp db migrate")
    return MigrationFailed(message, hint="mend the revision, then: larp db migrate")


def _committed(applied: Sequence[AppliedRevision]) -> str:
    revisions = ", ".join(item.revision for item in applied) or "none"
    return f"committed before it in this run: {revisions}"
