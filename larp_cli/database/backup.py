"""Backups of the schema: written beside, verified, then renamed."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.database.catalogue import extensions_in, server_major
from larp_cli.database.programs import find_program, run_program
from larp_cli.errors import ConfigurationError
from larp_cli.results import Backup

if TYPE_CHECKING:
    from larp_cli.database.target import Database
    from larp_cli.observer import Observer

DUMP_TIMEOUT = 6 * 3600.0
"""Seconds that a dump may take; ``--timeout`` cuts it shorter."""
LOCK_WAIT = "30s"
LIST_TIMEOUT = 300.0


def backup_schema(database: Database, directory: Path, observer: Observer) -> Backup:
    """Dump the schema into a new file in ``directory``, in pg_dump's custom format.

    Raises:
        ConfigurationError: There is no suitable pg_dump, or the directory cannot be written.
        CommandFailed: pg_dump failed, or pg_restore cannot read what it wrote.
    """
    with database.connect() as connection:
        major = server_major(connection)
        extensions = extensions_in(connection, database.schema)
    path = _new_path(database, directory)
    partial = path.with_suffix(".partial")
    observer.started(f"backing up the schema {database.schema} to {path}")
    try:
        run_program(
            [
                find_program("pg_dump", server_major=major),
                "--format=custom",
                "--no-password",
                f"--schema={_pattern(database.schema)}",
                *(f"--extension={_pattern(name)}" for name in extensions),
                f"--lock-wait-timeout={LOCK_WAIT}",
                f"--file={partial}",
            ],
            database,
            timeout=DUMP_TIMEOUT,
            what="pg_dump",
        )
        objects = count_objects(partial, database, server_major=major)
        _publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return Backup(path=path, size=path.stat().st_size, objects=objects)


def count_objects(path: Path, database: Database, *, server_major: int) -> int:
    """Read the table of contents with ``pg_restore --list``; this is the verification.

    Raises:
        CommandFailed: pg_restore cannot read the file.
    """
    program = find_program("pg_restore", server_major=server_major)
    listing = run_program(
        [program, "--list", path], database, timeout=LIST_TIMEOUT, what="pg_restore --list"
    )
    return sum(1 for line in listing.splitlines() if line and not line.startswith(";"))


def restore_command(database: Database, backup: Backup) -> str:
    """Write the command that puts the backup back in place of the schema."""
    return shlex.join(
        [
            "pg_restore",
            "--clean",
            "--if-exists",
            "--single-transaction",
            f"--dbname={database.url.safe}",
            str(backup.path),
        ]
    )


def _new_path(database: Database, directory: Path) -> Path:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError("it is not writable")
    except OSError as error:
        raise ConfigurationError(
            f"backups cannot be written to {directory}: {error.strerror or error}",
            hint="set LARP_HOME to a directory you can write",
        ) from error
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    name = "".join(
        letter if letter.isalnum() or letter in "-_" else "_" for letter in database.name
    )
    return directory / f"{name}-{database.schema}-{moment}.dump"


def _publish(partial: Path, path: Path) -> None:
    """Give the verified file its name, in a way that outlives a power failure."""
    partial.chmod(0o600)
    _sync(partial)
    partial.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pattern(name: str) -> str:
    """Quote a name for pg_dump, which takes patterns; see the psql manual, "Patterns"."""
    return '"' + name.replace('"', '""') + '"'
