"""From nothing to a migrated database, and back to that from anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.database import metadata
from larp_cli.database.backup import backup_schema, new_backup
from larp_cli.database.catalogue import schema_exists
from larp_cli.database.create import ensure_database
from larp_cli.database.drop import drop_schema
from larp_cli.database.guard import (
    ENVIRONMENT_KEY,
    Ask,
    Consent,
    examine,
    require_consent,
    require_unchanged,
    stamp_environment,
)
from larp_cli.database.seed import SEEDS_KEY, already_seeded, load_seeds, seed_files
from larp_cli.errors import Refused
from larp_cli.migrations.backups import restore_command
from larp_cli.migrations.migrate import migrate, require_own_environment
from larp_cli.migrations.mutex import migration_mutex
from larp_cli.migrations.state import placed
from larp_cli.results import Initialised, Seeded, WasReset
from larp_cli.settings import Environment

if TYPE_CHECKING:
    from larp_cli.database.target import Database
    from larp_cli.migrations.patience import Patience
    from larp_cli.migrations.project import Project
    from larp_cli.observer import Observer


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
    database = placed(database, project)
    stamped = require_own_environment(database, "larp db init")
    if seeds is not None and not allow_production:
        _refuse_production(database, stamped)
    migrated = migrate(database, project, observer, target="heads", patience=patience)
    environment = database.environment.value
    _stamp(database, observer, patience.mutex_wait)
    return Initialised(
        created_database=created,
        environment=environment,
        migrated=migrated,
        seeded=_seed(database, seeds, observer, patience.mutex_wait) if seeds is not None else None,
    )


def reset(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    consent: Consent,
    ask: Ask,
    backups: Path | None,
    seeds: Path | None,
    patience: Patience,
) -> WasReset:
    """Back up the schema, drop it, and initialise it again.

    Args:
        database: The database, by the URL for DDL.
        project: The revisions.
        observer: Told of every phase.
        consent: What the command line says already.
        ask: Asks for the database's name at a terminal.
        backups: Directory for the backup; None makes none.
        seeds: Directory of development data; None loads none.
        patience: How long to wait for locks and for another migrator.

    Raises:
        Refused: Consent is missing, or something outside hangs on the schema.
        CommandFailed: The backup failed; nothing was dropped.
    """
    database = placed(database, project)
    stake = examine(database)
    command = _reset_command(backups, seeds)
    require_consent(
        database,
        stake,
        consent,
        command=command,
        loss="everything in it will be dropped",
        ask=ask,
        observer=observer,
    )
    backup = way_back = None
    with migration_mutex(database, wait=patience.mutex_wait, observer=observer) as connection:
        require_unchanged(database, stake, command=command)
        if backups is not None and schema_exists(connection, database.schema):
            backup = backup_schema(database, new_backup(database, backups), observer)
            way_back = restore_command(database, project, backup.path)
            observer.note(f"to go back: {way_back}")
        connection.execute("SELECT")  # a backup takes its time: the mutex must still be ours
        observer.started(f"dropping the schema {database.schema}")
        drop_schema(database)
        # A foreign project's notes are not in the schema that was dropped.
        metadata.forget(connection, database.bookkeeping_schema, SEEDS_KEY)
    return WasReset(
        schema=database.schema,
        dropped=stake.tables,
        backup=backup,
        restore_command=way_back,
        initialised=initialise(
            database,
            project,
            observer,
            seeds=seeds,
            patience=patience,
            allow_production=consent.allow_production,
        ),
    )


def _reset_command(backups: Path | None, seeds: Path | None) -> str:
    options = [(" --seed", seeds is not None), (" --no-backup", backups is None)]
    return "larp db reset" + "".join(option for option, given in options if given)


def seed(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    seeds: Path,
    environment: str | None,
    allow_production: bool,
    patience: Patience,
) -> Seeded:
    """Load the development data, also if it was loaded before.

    Args:
        database: The database, by the URL for DDL.
        project: The revisions.
        observer: Told of every file.
        seeds: Directory of the files.
        environment: Whose files are loaded besides the common ones; None means ENVIRONMENT.
        allow_production: Whether a production database may be seeded.
        patience: How long to wait for a migrator.

    Raises:
        Refused: The database is another environment's, or a production one.
        CommandFailed: A statement failed; nothing was loaded.
    """
    database = placed(database, project)
    stamped = require_own_environment(database, "larp db seed")
    if not allow_production:
        _refuse_production(database, stamped)
    with migration_mutex(database, wait=patience.mutex_wait, observer=observer):
        return load_seeds(database, seeds, environment or database.environment.value, observer)


def _refuse_production(database: Database, stamped: str | None) -> None:
    if Environment.PRODUCTION.value in (stamped, database.environment.value):
        raise Refused(
            f"{database.name} is a production database; seeds are development data",
            hint="larp db seed --allow-production",
        )


def _stamp(database: Database, observer: Observer, mutex_wait: float) -> None:
    """Note the environment in the database, where it is not noted already."""
    with database.connection() as connection:
        if metadata.read(connection, database.bookkeeping_schema, ENVIRONMENT_KEY) is not None:
            return
    with migration_mutex(database, wait=mutex_wait, observer=observer) as connection:
        # Another init may have stamped it while we waited, and with another environment.
        stamp_environment(connection, database, command="larp db init")


def _seed(database: Database, seeds: Path, observer: Observer, mutex_wait: float) -> Seeded:
    """Load the development data, unless exactly this was loaded before."""
    environment = database.environment.value
    with migration_mutex(database, wait=mutex_wait, observer=observer):
        if already_seeded(database, seeds, environment):
            count = len(seed_files(seeds, environment))
            return Seeded(environment=environment, directory=seeds, files=(), already_loaded=count)
        return load_seeds(database, seeds, environment, observer)
