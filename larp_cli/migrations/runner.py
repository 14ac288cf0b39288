"""Applying revisions: ask first, then one migrator, then a transaction per revision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from larp_cli.database.errors import driver_error, translate
from larp_cli.errors import ConfigurationError, LarpError, MigrationFailed
from larp_cli.migrations.mutex import migration_mutex
from larp_cli.migrations.project import explained
from larp_cli.migrations.state import current_heads, placed
from larp_cli.results import AppliedRevision, Migrated

if TYPE_CHECKING:
    import sqlalchemy as sa

    from alembic.runtime.migration import RevisionStep
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
    if steps_to(project, target, before):
        with migration_mutex(database, wait=mutex_wait, observer=observer):
            # Another migrator may have done the work while we waited.
            before = current_heads(database, project)
            applied = _apply(database, project, observer, steps_to(project, target, before))
    return Migrated(
        database=database.name,
        schema=database.schema,
        before=before,
        after=current_heads(database, project) if applied else before,
        applied=applied,
        seconds=time.monotonic() - began,
    )


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
    database: Database, project: Project, observer: Observer, steps: Sequence[RevisionStep]
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
                _run(connection, project, step)
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
    project.run_environment(connection, lambda heads, context: [step])
    connection.rollback()  # whatever env.py left open; the revision itself is committed


def failure(
    database: Database, revision: Script, applied: Sequence[AppliedRevision], error: Exception
) -> LarpError:
    """Say which revision failed and why, and which are committed."""
    committed = ", ".join(item.revision for item in applied) or "none"
    original = driver_error(error)
    if original is not None:
        reason = translate(original, database.url).message
    else:
        reason = f"{type(error).__name__}: {error}"
    return MigrationFailed(
        f"revision {revision.revision} ({revision.doc}) failed: {reason};"
        f" committed before it in this run: {committed}",
        hint="mend the revision, then: larp db migrate",
    )
