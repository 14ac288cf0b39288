"""Facts of the database itself: server, schema, backups, seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Problem, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """The server and session that answered."""

    host: str
    database: str
    user: str
    version: str
    """The server's version, such as ``18.1``."""
    standby: bool
    """Whether the server is in recovery and takes no writes."""
    embedded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """A session of a migrator: one runs the revisions, another holds the mutex meanwhile."""

    pid: int
    application: str
    user: str
    since_seconds: float
    """Age of the session's connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table and the server's estimate of its rows."""

    name: str
    estimated_rows: int | None
    """None where the server has no estimate yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that pg_restore can read."""

    path: Path
    size: int
    """Bytes."""
    objects: int
    """Entries in its table of contents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp(Result):
    """A backup that was made."""

    database: str
    schema: str
    backup: Backup
    restore_command: str
    """The command that puts it in place of the schema."""
    seconds: float

    @property
    def changed(self) -> bool:
        """There is a file that was not there, or was another."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Result):
    """A schema that was replaced by a backup."""

    database: str
    schema: str
    source: Backup
    """What was restored."""
    replaced: tuple[TableSize, ...]
    """The tables that were there before, and are gone."""
    current: tuple[str, ...]
    """Revisions with which the database is stamped now."""
    backup: Backup | None
    """What was there before; None with ``--no-backup``, or where there was no schema."""
    restore_command: str | None
    """The command that goes back to it."""
    seconds: float

    @property
    def changed(self) -> bool:
        """A restored database is another, even where it is equal."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFile:
    """A file of development data that was loaded."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded(Result):
    """Development data that was loaded, in one transaction."""

    environment: str
    directory: Path
    files: tuple[SeedFile, ...]
    already_loaded: int = 0
    """Number of files that were loaded before as they are, and so were left alone."""

    @property
    def changed(self) -> bool:
        """Whether there was a file to load."""
        return bool(self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReady(Result):
    """A database that answers queries."""

    server: ServerFacts
    waited_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellOutput(Result):
    """What psql wrote, where its output was asked for as data."""

    output: str
    status: int
    """psql's own exit status."""

    @property
    def problem(self) -> Problem | None:
        """A psql that failed is a failure."""
        if self.status == 0:
            return None
        return Problem(exit_code=ExitCode.FAILURE, message=f"psql ended with {self.status}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedState(Result):
    """The embedded PostgreSQL after `start` or `stop`."""

    running: bool
    kept: bool
    """Whether it stays up when the last command that uses it ends."""
    data_directory: Path
    version: str | None
    url: str | None
    was_changed: bool

    @property
    def changed(self) -> bool:
        """Whether the command started or stopped it."""
        return self.was_changed
