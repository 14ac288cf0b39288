"""From nothing to a migrated database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.bookkeeping.environment import read_environment, stamp_environment
from larp_cli.migrations.migrate import migrate, require_own_environment
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.seed import refuse_production, seed_once
from larp_cli.migrations.version_table import locate
from larp_cli.postgres.create import ensure_database
from larp_cli.results import Initialised

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.timeouts import Patience
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


def initialise(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    seeds: Path | None,
    patience: Patience,
    allow_production: bool = False,
) -> Initialised:
    """Create what is missing: the database, its schema, its revisions, its environment.

    Doing it again does nothing, and several at once do it once.

    Args:
        database: The database, by the URL for DDL.
        project: The revisions.
        observer: Told of every phase.
        seeds: Directory of development data; None loads none.
        patience: How long to wait for locks and for another migrator.
        allow_production: Whether a production database may be seeded.

    Raises:
        DatabaseUnreachable: The server did not answer.
        Refused: The database belongs to another environment, or seeds are for none like it.
        Locked: Another migrator did not end in time.
        MigrationFailed: A revision failed.
    """
    created = ensure_database(database, observer)
    database = locate(database, project)
    stamped = require_own_environment(database, "larp db init")
    if seeds is not None and not allow_production:
        refuse_production(database, stamped)
    migrated = migrate(database, project, observer, target="heads", patience=patience)
    environment = database.environment.value
    _stamp(database, observer, patience.mutex_wait)
    return Initialised(
        created_database=created,
        environment=environment,
        migrated=migrated,
        seeded=(
            seed_once(database, seeds, observer, mutex_wait=patience.mutex_wait)
            if seeds is not None
            else None
        ),
    )


def _stamp(database: ManagedDatabase, observer: Observer, mutex_wait: float) -> None:
    """Note the environment in the database, where it is not noted already."""
    with database.connection() as connection:
        if read_environment(connection, database.bookkeeping) is not None:
            return
    with migration_mutex(database, wait=mutex_wait, observer=observer) as connection:
        # Another init may have stamped it while we waited, and with another environment.
        stamp_environment(connection, database, command="larp db init")
