"""Back up the schema, and replace it with a backup."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.backup.archive import Archive, open_archive, require_schema, require_whole
from larp_cli.backup.dump import backup_schema, new_backup
from larp_cli.backup.restore import restore_schema
from larp_cli.migrations.control import ControlSession, open_control, reopen_control
from larp_cli.migrations.guard import Guard, Stake, examine, require_unchanged
from larp_cli.migrations.seed_files import forget_seeds
from larp_cli.postgres.catalog import read_server_major, schema_exists
from larp_cli.results import BackedUp, Backup, Restored
from larp_cli.settings import Environment

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.workspace import Workspace
    from larp_cli.observer import Observer


def back_up(workspace: Workspace, *, path: Path | None, directory: Path, force: bool) -> BackedUp:
    """Dump the project's schema to a file, and verify the file.

    This takes no migration lock: pg_dump uses one snapshot, so a revision is in the dump
    completely or not at all.

    Args:
        workspace: The database, whose role must be able to read everything, and the project.
        path: The file; None creates a new one in ``directory``.
        directory: The directory of backups.
        force: Whether to replace an existing file.

    Raises:
        ConfigurationError: The schema or pg_dump is missing, or the file cannot be written.
        Refused: The file exists.
        CommandFailed: pg_dump failed, or the file cannot be read.
    """
    began = time.monotonic()
    with open_control(workspace.database, workspace.project) as control:
        database = control.database
    target = path.absolute() if path is not None else new_backup(database, directory)
    backup = backup_schema(database, target, workspace.observer, force=force)
    return BackedUp(
        database=database.name,
        schema=database.schema,
        backup=backup,
        restore_command=restore_command(database, workspace.project, backup.path),
        seconds=time.monotonic() - began,
    )


def back_up_before(
    control: ControlSession, directory: Path | None, observer: Observer
) -> tuple[Backup | None, str | None]:
    """Back up the schema before it is destroyed; None if it is missing, or without a directory.

    Returns:
        The backup, and the command that restores it.
    """
    database = control.database
    if directory is None or not schema_exists(control.connection, database.schema):
        return None, None
    backup = backup_schema(database, new_backup(database, directory), observer)
    undo = restore_command(database, control.project, backup.path)
    observer.note(f"to undo: {undo}")
    return backup, undo


def restore(
    workspace: Workspace,
    guard: Guard,
    *,
    path: Path,
    options: tuple[str, ...],
    backups: Path | None,
) -> Restored:
    """Replace the project's schema with a backup, or change nothing.

    Args:
        workspace: The database, the project, the observer and the timeouts.
        guard: Asks for the operator's consent.
        path: The archive.
        options: More options for pg_restore, such as ``--no-owner``.
        backups: Directory for a backup of the replaced schema; None makes none.

    Raises:
        ConfigurationError: The file does not exist, or contains another schema.
        CommandFailed: The archive is incomplete, or a statement in it failed.
        Refused: Consent is missing, or an object outside depends on the schema.
        Locked: Another migration did not finish in time, or a table stayed locked.
    """
    began = time.monotonic()
    path, project, observer = path.absolute(), workspace.project, workspace.observer
    database, archive = _open_checked(workspace, path)
    command = _command(project, path, *options)
    stake = _ask_for_consent(guard, database, project, path, command)
    with reopen_control(database, project) as control:
        control.hold_mutex(workspace)
        require_unchanged(control, stake, command=command)
        backup, undo = back_up_before(control, backups, observer)
        restore_schema(database, archive, observer, options=options)
        current = _read_restored(control)
    return Restored(
        database=database.name,
        schema=database.schema,
        source=Backup(path=path, size=path.stat().st_size, objects=len(archive.entries)),
        replaced=stake.tables,
        current=current,
        backup=backup,
        restore_command=undo,
        seconds=time.monotonic() - began,
    )


def _ask_for_consent(
    guard: Guard, database: ManagedDatabase, project: Project, path: Path, command: str
) -> Stake:
    with reopen_control(database, project) as control:
        stake = examine(control)
    loss = f"this replaces the schema with {path}"
    guard.require_consent(database, stake, command=command, loss=loss)
    return stake


def _read_restored(control: ControlSession) -> tuple[str, ...]:
    """Read the restored revisions, and delete metadata that is no longer true."""
    bookkeeping = control.database.bookkeeping
    if not bookkeeping.is_beside_version_table:
        # For another project, the seeds' data was in the schema but their record is not.
        forget_seeds(control.connection, bookkeeping)
    return control.read_heads()


def restore_command(database: ManagedDatabase, project: Project, path: Path) -> str:
    """Write the command that replaces the schema with a backup."""
    words = ["--confirm", database.name]
    if database.environment is Environment.PRODUCTION:
        words.append("--allow-production")
    return f"{_command(project, path)} {shlex.join(words)}"


def _command(project: Project, path: Path, *options: str) -> str:
    foreign = () if project.own else ("--alembic-config", str(project.config_file))
    return shlex.join(["larp", "db", "restore", str(path), *options, *foreign])


def _open_checked(workspace: Workspace, path: Path) -> tuple[ManagedDatabase, Archive]:
    """Open the archive and check everything that can be checked before the restore."""
    observer = workspace.observer
    with open_control(workspace.database, workspace.project) as control:
        database, major = control.database, read_server_major(control.connection)
    archive = open_archive(path, database, server_major=major)
    require_schema(archive, database.schema)
    observer.started(f"verifying {path}")
    require_whole(archive, database)
    observer.finished("")
    if archive.server_major is not None and archive.server_major > major:
        observer.warning(
            f"the backup comes from PostgreSQL {archive.server_major}, the server is {major}: if it"
            " uses a newer feature, the restore fails and changes nothing"
        )
    return database, archive
