"""Results about the database itself: server, schema, backups, seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """The server that answered, and the session on it."""

    host: str
    """Host name, address or socket directory."""
    database: str
    user: str
    """Role of the session."""
    version: str
    """Server version, such as ``18.1``."""
    standby: bool
    """Whether the server is in recovery and accepts no writes."""
    embedded: bool
    """Whether it is larp's embedded PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """A session of a running migration: one runs the revisions, one holds the migration lock."""

    pid: int
    application: str
    user: str
    since_seconds: float
    """Seconds since the session connected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table and its estimated number of rows."""

    name: str
    estimated_rows: int | None
    """The server's estimate, or a count if it has none and the table is small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup file in pg_dump's custom format, which pg_restore has read completely."""

    path: Path
    size: int
    """Size in bytes."""
    objects: int
    """Number of entries in its table of contents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp(Result):
    """The result of a backup."""

    database: str
    schema: str
    backup: Backup
    restore_command: str
    """Command that replaces the schema with this backup."""
    seconds: float

    @property
    def changed(self) -> bool:
        """A backup always writes a file."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Result):
    """The result of a restore: a schema replaced by a backup."""

    database: str
    schema: str
    source: Backup
    """The backup that was restored."""
    replaced: tuple[TableSize, ...]
    """Tables that the schema held before."""
    current: tuple[str, ...]
    """Current revisions after the restore."""
    backup: Backup | None
    """Backup of what was replaced; None with ``--no-backup``, or if there was no schema."""
    restore_command: str | None
    """Command that undoes the restore."""
    seconds: float

    @property
    def changed(self) -> bool:
        """A restore always changes the database."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFile:
    """A seed file that was loaded."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded(Result):
    """Development data, loaded in one transaction."""

    environment: str
    directory: Path
    files: tuple[SeedFile, ...]
    already_loaded: int = 0
    """Number of seed files skipped because an earlier run loaded them unchanged."""

    @property
    def changed(self) -> bool:
        """Whether a file was loaded."""
        return bool(self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReady(Result):
    """A database that answers queries."""

    server: ServerFacts
    waited_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellOutput(Result):
    """The output of psql, captured because of ``--json``."""

    output: str
    status: int
    """Exit status of psql."""

    @property
    def exit_code(self) -> ExitCode:
        """A failure of psql ends the command with 1."""
        return ExitCode.FAILURE if self.status else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedState(Result):
    """The embedded PostgreSQL after ``larp db start`` or ``larp db stop``."""

    running: bool
    kept: bool
    """Whether it keeps running after the last command that uses it."""
    data_directory: Path
    version: str | None
    url: str | None
    was_changed: bool
    """Whether the command started or stopped the server."""

    @property
    def changed(self) -> bool:
        """Whether the command started or stopped it."""
        return self.was_changed
