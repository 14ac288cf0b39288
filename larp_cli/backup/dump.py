"""Back up the schema: write a temporary file, verify it, then rename it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.backup.archive import open_archive, require_whole
from larp_cli.errors import CommandFailed, ConfigurationError, Refused
from larp_cli.postgres.catalog import find_extensions, read_server_major, schema_exists
from larp_cli.postgres.programs import find_program, run_program
from larp_cli.results import Backup
from larp_cli.system import files
from larp_cli.units import format_bytes

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.observer import Observer

DUMP_TIMEOUT = 6 * 3600.0
"""Longest duration of a dump, in seconds. ``--timeout`` shortens it."""
LOCK_WAIT = "30s"


def backup_schema(
    database: ManagedDatabase, path: Path, observer: Observer, *, force: bool = False
) -> Backup:
    """Dump the schema to the file ``path`` in pg_dump's custom format, and verify it.

    Args:
        database: The database. Its role must be able to read the whole schema.
        path: The file. It gets this name when it is complete and verified.
        observer: Gets the number of bytes written.
        force: Whether to replace an existing file.

    Raises:
        ConfigurationError: The schema or a suitable pg_dump is missing, or nothing can be
            written there.
        Refused: The file exists.
        CommandFailed: pg_dump failed, or pg_restore cannot read the file.
    """
    _require_free(path, force=force)
    source = _find_source(database)
    observer.started(f"backing up the schema {database.schema} to {path}")
    with _open_partial(path) as partial:
        _dump(database, source, partial, observer)
        observer.started(f"verifying {path}")
        objects = _verify(partial, database, server_major=source.server_major)
        _require_free(path, force=force)
        _publish(partial, path, force=force)
    observer.finished("")
    return Backup(path=path, size=path.stat().st_size, objects=objects)


@dataclass(frozen=True, slots=True)
class _Source:
    """What pg_dump needs to know about the server."""

    server_major: int
    extensions: tuple[str, ...]
    """Extensions whose objects are in the schema."""


def _find_source(database: ManagedDatabase) -> _Source:
    with database.connection() as connection:
        if not schema_exists(connection, database.schema):
            raise ConfigurationError(
                f"the database {database.name} has no schema {database.schema} to back up",
                hint="larp db init",
            )
        return _Source(read_server_major(connection), find_extensions(connection, database.schema))


def _dump(database: ManagedDatabase, source: _Source, path: Path, observer: Observer) -> None:
    program = find_program("pg_dump", server_major=source.server_major)
    run_program(
        [program, *_dump_options(database.schema, source.extensions), f"--file={path}"],
        database,
        timeout=DUMP_TIMEOUT,
        what="pg_dump",
        tick=lambda: observer.progress(format_bytes(path.stat().st_size)),
    )


def new_backup(database: ManagedDatabase, directory: Path) -> Path:
    """Return the path of a new backup in ``directory``, and create the directory.

    Raises:
        ConfigurationError: The directory cannot be created or written to.
    """
    _ensure_writable(directory)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return directory / f"{_file_name(database)}-{moment}.dump"


def _ensure_writable(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError("it is not writable")
    except OSError as error:
        raise ConfigurationError(
            f"backups cannot be written to {directory}: {error.strerror or error}",
            hint="set LARP_HOME to a directory you can write",
        ) from error


def _file_name(database: ManagedDatabase) -> str:
    """Build a file name from the names of database and schema.

    File names are limited to 255 bytes. The two names have up to 126 letters of up to four bytes.
    """
    letters = f"{database.name}-{database.schema}"
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in letters)
    return name.encode()[:200].decode(errors="ignore")


def _require_free(path: Path, *, force: bool) -> None:
    try:
        path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(path, error) from error
    if path.is_dir():
        raise ConfigurationError(
            f"{path} is a directory", hint=f"name a file in it: larp db backup {path}/NAME.dump"
        )
    if not force:
        raise Refused(
            f"{path} already exists", hint="name another FILE, or replace it with --force"
        )
    if not path.is_file() and not path.is_symlink():
        raise ConfigurationError(f"{path} is not a regular file", hint="name another FILE")


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror}",
        hint="name a FILE in a directory that exists and that you can write to",
    )


@contextmanager
def _open_partial(path: Path) -> Iterator[Path]:
    """Create a private temporary file beside ``path``, and remove it after the block."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".larp-", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
    except OSError as error:
        raise CommandFailed(
            f"{path} cannot be written: {error.strerror}",
            hint="free disk space, or name another FILE",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _verify(partial: Path, database: ManagedDatabase, *, server_major: int) -> int:
    """Read every byte of the backup. Return the number of objects in it."""
    try:
        archive = open_archive(partial, database, server_major=server_major)
        require_whole(archive, database)
    except CommandFailed as error:
        raise CommandFailed(
            f"the backup could not be read back and was removed: {error.message}",
            hint="check the disk, or name another FILE",
        ) from error
    return len(archive.entries)


def _publish(partial: Path, path: Path, *, force: bool) -> None:
    """Give the verified file its name, so that it survives a power failure.

    Raises:
        Refused: Another process took the name first.
    """
    files.sync(partial)
    try:
        files.move(partial, path, replace=force)
    except FileExistsError:
        _require_free(path, force=False)
        files.move(partial, path)  # the other file has disappeared meanwhile


def _dump_options(schema: str, extensions: Sequence[str]) -> list[str]:
    return [
        "--format=custom",
        "--no-password",
        f"--schema={_pattern(schema)}",
        *(f"--extension={_pattern(name)}" for name in extensions),
        f"--lock-wait-timeout={LOCK_WAIT}",
    ]


def _pattern(name: str) -> str:
    """Quote a name for pg_dump, which expects a pattern. Source: psql manual, "Patterns"."""
    return '"' + name.replace('"', '""') + '"'
