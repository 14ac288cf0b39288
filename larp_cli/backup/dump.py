"""Backups of the schema: written beside, verified, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.backup.archive import open_archive, require_whole
from larp_cli.errors import CommandFailed, ConfigurationError, Refused
from larp_cli.postgres.catalog import extensions_in, schema_exists, server_major
from larp_cli.postgres.programs import find_program, run_program
from larp_cli.results import Backup
from larp_cli.system import files
from larp_cli.units import format_bytes

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.observer import Observer

DUMP_TIMEOUT = 6 * 3600.0
"""Seconds that a dump may take; ``--timeout`` cuts it shorter."""
LOCK_WAIT = "30s"


def backup_schema(
    database: ManagedDatabase, path: Path, observer: Observer, *, force: bool = False
) -> Backup:
    """Dump the schema into the file ``path``, in pg_dump's custom format.

    Args:
        database: The database, by a URL that may read all of the schema.
        path: The file; until it is whole and verified it has another name beside it.
        observer: Told how much is written.
        force: Whether a file that is there already is replaced.

    Raises:
        ConfigurationError: There is no schema, no suitable pg_dump, or no place to write.
        Refused: The file is there already.
        CommandFailed: pg_dump failed, or pg_restore cannot read what it wrote.
    """
    _require_free(path, force=force)
    with database.connection() as connection:
        major = server_major(connection)
        if not schema_exists(connection, database.schema):
            raise ConfigurationError(
                f"the database {database.name} has no schema {database.schema} to back up",
                hint="larp db init",
            )
        extensions = extensions_in(connection, database.schema)
    program = find_program("pg_dump", server_major=major)
    observer.started(f"backing up the schema {database.schema} to {path}")
    with _beside(path) as partial:
        run_program(
            [program, *_dump_options(database.schema, extensions), f"--file={partial}"],
            database,
            timeout=DUMP_TIMEOUT,
            what="pg_dump",
            tick=lambda: observer.progress(format_bytes(partial.stat().st_size)),
        )
        observer.started(f"verifying {path}")
        objects = _verified(partial, database, server_major=major)
        _require_free(path, force=force)
        _publish(partial, path, force=force)
    observer.finished("")
    return Backup(path=path, size=path.stat().st_size, objects=objects)


def new_backup(database: ManagedDatabase, directory: Path) -> Path:
    """Name a new backup in ``directory``, which is made where it is missing.

    Raises:
        ConfigurationError: The directory cannot be made or written.
    """
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
        letter if letter.isalnum() or letter in "-_" else "_"
        for letter in f"{database.name}-{database.schema}"
    )
    # A file's name may have 255 bytes; one letter takes up to four, and two names have 126.
    name = name.encode()[:200].decode(errors="ignore")
    return directory / f"{name}-{moment}.dump"


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
        raise Refused(f"{path} is there already", hint="name another FILE, or replace it: --force")
    if not path.is_file() and not path.is_symlink():
        raise ConfigurationError(f"{path} is no regular file", hint="name another FILE")


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror}",
        hint="name a FILE in a directory that is there and that you can write",
    )


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Make an empty file beside ``path`` that nobody else can read; it does not stay."""
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
            f"{path} cannot be written: {error.strerror}", hint="make room, or name another FILE"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _verified(partial: Path, database: ManagedDatabase, *, server_major: int) -> int:
    """Read the backup back, every byte of it; returns the number of its objects."""
    try:
        archive = open_archive(partial, database, server_major=server_major)
        require_whole(archive, database)
    except CommandFailed as error:
        raise CommandFailed(
            f"the backup cannot be read back, and was removed: {error.message}",
            hint="see that the disk is neither full nor failing, or name another FILE",
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
        files.move(partial, path)  # the other file is gone again


def _dump_options(schema: str, extensions: Sequence[str]) -> list[str]:
    return [
        "--format=custom",
        "--no-password",
        f"--schema={_pattern(schema)}",
        *(f"--extension={_pattern(name)}" for name in extensions),
        f"--lock-wait-timeout={LOCK_WAIT}",
    ]


def _pattern(name: str) -> str:
    """Quote a name for pg_dump, which takes patterns; see the psql manual, "Patterns"."""
    return '"' + name.replace('"', '""') + '"'
