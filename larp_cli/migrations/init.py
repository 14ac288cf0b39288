"""Initialise a database: from an empty server to every revision applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.bookkeeping.environment import stamp_environment
from larp_cli.migrations.control import open_control
from larp_cli.migrations.migrate import migrate_on
from larp_cli.migrations.seed import refuse_production, seed_once
from larp_cli.postgres.create import ensure_database
from larp_cli.results import Initialised

if TYPE_CHECKING:
    from larp_cli.migrations.workspace import Workspace


def initialise(
    workspace: Workspace, *, seeds: Path | None, allow_production: bool = False
) -> Initialised:
    """Create what is missing: the database, the schema, the revisions, the environment stamp.

    A second run does nothing. Concurrent runs do the work once.

    Args:
        workspace: The database, the project, the observer and the timeouts.
        seeds: Directory of development data; None loads none.
        allow_production: Whether a production database may be seeded.

    Raises:
        DatabaseUnreachable: The server did not answer.
        Refused: The database belongs to another environment, or must not be seeded.
        Locked: Another migration did not finish in time.
        MigrationFailed: A revision failed.
    """
    created = ensure_database(workspace.database, workspace.observer)
    done = initialise_schema(workspace, seeds=seeds, allow_production=allow_production)
    return replace(done, created_database=created)


def initialise_schema(
    workspace: Workspace, *, seeds: Path | None, allow_production: bool
) -> Initialised:
    """Do what `initialise` does, in an existing database."""
    with open_control(workspace.database, workspace.project) as control:
        database = control.database
        stamped = control.require_own_environment("larp db init")
        if seeds is not None and not allow_production:
            refuse_production(database, stamped)
        migrated = migrate_on(control, workspace, "heads")
        if stamped is None and not migrated.applied:
            control.hold_mutex(workspace)
            # Another init may have stamped it, perhaps with another environment.
            stamp_environment(control.connection, database, command="larp db init")
        return Initialised(
            created_database=False,
            environment=database.environment.value,
            migrated=migrated,
            seeded=seed_once(control, workspace, seeds) if seeds is not None else None,
        )
