"""Backing up the schema, and putting a backup in its place."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.backup.archive import Archive, open_archive, require_schema, require_whole
from larp_cli.backup.dump import backup_schema, new_backup
from larp_cli.backup.restore import restore_schema
from larp_cli.migrations.guard import Ask, Consent, examine, require_consent, require_unchanged
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.seed_files import forget_seeds
from larp_cli.migrations.version_table import current_heads, locate
from larp_cli.postgres.catalog import schema_exists, server_major
from larp_cli.results import BackedUp, Backup, Restored
from larp_cli.settings import Environment

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


def back_up(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    path: Path | None,
    directory: Path,
    force: bool,
) -> BackedUp:
    """Dump the project's schema into a file, and read the file back.

    The migration mutex is not taken: pg_dump sees one moment of the database, and a
    revision is in it or not.

    Args:
        database: The database, by the URL for DDL, whose role may read everything.
        project: Whose schema.
        observer: Told how much is written.
        path: The file; None makes a new one in ``directory``.
        directory: Where backups are kept.
        force: Whether a file that is there already is replaced.

    Raises:
        ConfigurationError: There is no schema, no pg_dump, or no place to write.
        Refused: The file is there already.
        CommandFailed: pg_dump failed, or what it wrote cannot be read.
    """
    began = time.monotonic()
    database = locate(database, project)
    target = path.absolute() if path is not None else new_backup(database, directory)
    backup = backup_schema(database, target, observer, force=force)
    return BackedUp(
        database=database.name,
        schema=database.schema,
        backup=backup,
        restore_command=restore_command(database, project, backup.path),
        seconds=time.monotonic() - began,
    )


def restore(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    path: Path,
    options: tuple[str, ...],
    consent: Consent,
    ask: Ask,
    backups: Path | None,
    mutex_wait: float,
) -> Restored:
    """Replace the project's schema by what is in a backup, or change nothing.

    Args:
        database: The database, by the URL for DDL.
        project: Whose schema.
        observer: Told what is at stake, and of every phase.
        path: The backup, checked before anything else.
        options: More options of pg_restore, such as ``--no-owner``.
        consent: What the command line says already.
        ask: Asks for the database's name at a terminal.
        backups: Directory for a backup of what is replaced; None makes none.
        mutex_wait: Seconds to wait for a migrator.

    Raises:
        ConfigurationError: There is no such file, or it holds another schema.
        CommandFailed: The file is no whole archive, or a statement in it failed.
        Refused: Consent is missing, or something outside hangs on the schema.
        Locked: A migrator did not end in time, or a table stayed locked.
    """
    began = time.monotonic()
    path = path.absolute()
    database = locate(database, project)
    archive = _checked(database, path, observer)
    stake = examine(database)
    command = _command(project, path, *options)
    require_consent(
        database,
        stake,
        consent,
        command=command,
        loss=f"this replaces the schema with {path}",
        ask=ask,
        observer=observer,
    )
    backup = way_back = None
    with migration_mutex(database, wait=mutex_wait, observer=observer) as connection:
        require_unchanged(database, stake, command=command)
        if backups is not None and schema_exists(connection, database.schema):
            backup = backup_schema(database, new_backup(database, backups), observer)
            way_back = restore_command(database, project, backup.path)
            observer.note(f"to undo: {way_back}")
        restore_schema(database, archive, observer, options=options)
        if not database.bookkeeping.is_beside_version_table:
            # What a foreign project's seeds made was in the schema, the note of it was not.
            forget_seeds(connection, database.bookkeeping)
    return Restored(
        database=database.name,
        schema=database.schema,
        source=Backup(path=path, size=path.stat().st_size, objects=len(archive.entries)),
        replaced=stake.tables,
        current=current_heads(database),
        backup=backup,
        restore_command=way_back,
        seconds=time.monotonic() - began,
    )


def restore_command(database: ManagedDatabase, project: Project, path: Path) -> str:
    """Write the command that puts a backup in place of the schema."""
    words = ["--confirm", database.name]
    if database.environment is Environment.PRODUCTION:
        words.append("--allow-production")
    return f"{_command(project, path)} {shlex.join(words)}"


def _command(project: Project, path: Path, *options: str) -> str:
    foreign = () if project.own else ("--alembic-config", str(project.config_file))
    return shlex.join(["larp", "db", "restore", str(path), *options, *foreign])


def _checked(database: ManagedDatabase, path: Path, observer: Observer) -> Archive:
    """Open the archive, and make sure of all that can be known before it is restored."""
    with database.connection() as connection:
        major = server_major(connection)
    archive = open_archive(path, database, server_major=major)
    require_schema(archive, database.schema)
    observer.started(f"verifying {path}")
    require_whole(archive, database)
    observer.finished("")
    if archive.server_major is not None and archive.server_major > major:
        observer.warning(
            f"the backup is of PostgreSQL {archive.server_major}, the server is {major}: what"
            " an older server does not know makes restoring fail, and then nothing is changed"
        )
    return archive
