"""What commands answer with: frozen facts, without a word of presentation.

Times are in UTC, durations in seconds. A field is documented here once, and stands
under the same name in the JSON document.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from larp_cli.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the answer is no, or why there is none."""

    exit_code: ExitCode
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one command answers with."""

    verbatim: ClassVar[bool] = False
    """Whether the texts in it are the product itself, and are never redacted."""

    @property
    def changed(self) -> bool:
        """Whether the command changed anything."""
        return False

    @property
    def problem(self) -> Problem | None:
        """The "no" in the answer, where there is one."""
        return None


# --- migrations ---------------------------------------------------------------------


class DatabaseState(StrEnum):
    """Where a database stands against the revisions on disk."""

    NOT_INITIALISED = "not_initialised"
    BEHIND = "behind"
    AT_HEAD = "at_head"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision file."""

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    path: Path | None = None


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
    """A session that holds the migration mutex."""

    pid: int
    application: str
    user: str
    since_seconds: float
    """Age of the session's connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus(Result):
    """Where the database stands against the revisions on disk."""

    server: ServerFacts
    schema: str
    schema_exists: bool
    environment: str | None
    """Environment that is stamped in the database; None before ``larp db init``."""
    state: DatabaseState
    current: tuple[str, ...]
    """Revisions with which the database is stamped."""
    heads: tuple[str, ...]
    """Newest revisions on disk."""
    pending: tuple[Revision, ...] = ()
    unknown: tuple[str, ...] = ()
    """Stamped revisions that are not on disk: a newer version of the code applied them."""
    lock_holders: tuple[LockHolder, ...] = ()
    invalid_indexes: tuple[str, ...] = ()

    @property
    def problem(self) -> Problem | None:
        """Anything but a database at head is a "no"."""
        match self.state:
            case DatabaseState.AT_HEAD:
                return None
            case DatabaseState.NOT_INITIALISED:
                what, hint = "the database is not initialised", "larp db init"
            case DatabaseState.BEHIND:
                what, hint = f"pending: {_count(len(self.pending), 'revision')}", "larp db migrate"
            case DatabaseState.AHEAD:
                what = f"the database is ahead of this code: {', '.join(self.unknown)}"
                hint = "deploy the version of the code that holds these revisions"
        return Problem(exit_code=ExitCode.NEGATIVE, message=what, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRevision:
    """A revision that this command ran."""

    revision: str
    description: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated(Result):
    """What a migration did."""

    database: str
    schema: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    applied: tuple[AppliedRevision, ...] = ()
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether a revision was applied."""
        return bool(self.applied)


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

    @property
    def changed(self) -> bool:
        """Whether there was a file to load."""
        return bool(self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised(Result):
    """A database made ready to use."""

    created_database: bool
    environment: str
    migrated: Migrated
    seeded: Seeded | None = None

    @property
    def changed(self) -> bool:
        """Whether anything had to be done."""
        seeded = self.seeded is not None and self.seeded.changed
        return self.created_database or self.migrated.changed or seeded


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A revision on disk, and whether the database has it."""

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    applied: bool
    head: bool
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History(Result):
    """The revisions on disk, newest first."""

    current: tuple[str, ...]
    revisions: tuple[HistoryEntry, ...]


# --- database -----------------------------------------------------------------------


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
class WasReset(Result):
    """A schema that was dropped and made anew."""

    schema: str
    dropped: tuple[TableSize, ...]
    backup: Backup | None
    restore_command: str | None
    initialised: Initialised

    @property
    def changed(self) -> bool:
        """A reset always changes the database."""
        return True


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


# --- configuration ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingValue:
    """One setting as it stands."""

    name: str
    value: str
    """The effective value; a secret as ``***``."""
    origin: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigShow(Result):
    """The effective settings."""

    settings: tuple[SettingValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one setting; never its value."""

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigCheck(Result):
    """Every fault of the settings at once."""

    environment: str | None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def problem(self) -> Problem | None:
        """A single fault is a problem; warnings are not."""
        if not self.faults:
            return None
        lines = "".join(f"\n  {fault.name}: {fault.message}" for fault in self.faults)
        return Problem(
            exit_code=ExitCode.CONFIGURATION,
            message=f"{_count(len(self.faults), 'setting')} wrong:{lines}",
            hint="larp config template shows every setting with its meaning",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigTemplate(Result):
    """The text of ``.env.example``."""

    verbatim = True

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSecret(Result):
    """A fresh SECRET_KEY."""

    verbatim = True

    secret: str


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
