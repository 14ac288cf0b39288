"""Dropping the schema and beginning anew, with a backup first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.backup.drop import drop_schema
from larp_cli.backup.dump import backup_schema, new_backup
from larp_cli.migrations.backups import restore_command
from larp_cli.migrations.guard import Ask, Consent, examine, require_consent, require_unchanged
from larp_cli.migrations.init import initialise
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.seed_files import forget_seeds
from larp_cli.migrations.version_table import locate
from larp_cli.postgres.catalog import schema_exists
from larp_cli.results import WasReset

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.timeouts import Patience
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


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
    database = locate(database, project)
    stake = examine(database)
    command = _reset_command(backups, seeds)
    require_consent(
        database,
        stake,
        consent,
        command=command,
        loss="this drops the schema and everything in it",
        ask=ask,
        observer=observer,
    )
    backup = way_back = None
    with migration_mutex(database, wait=patience.mutex_wait, observer=observer) as connection:
        require_unchanged(database, stake, command=command)
        if backups is not None and schema_exists(connection, database.schema):
            backup = backup_schema(database, new_backup(database, backups), observer)
            way_back = restore_command(database, project, backup.path)
            observer.note(f"to undo: {way_back}")
        connection.execute("SELECT")  # a backup takes its time: the mutex must still be ours
        observer.started(f"dropping the schema {database.schema}")
        drop_schema(database)
        # A foreign project's notes are not in the schema that was dropped.
        forget_seeds(connection, database.bookkeeping)
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
