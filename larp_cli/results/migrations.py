"""Results about revisions: the state of a database, and what was run on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Result
from larp_cli.results.database import Backup, LockHolder, Seeded, ServerFacts, TableSize


class DatabaseState(StrEnum):
    """The database compared with the revision files."""

    NOT_INITIALISED = "not_initialised"
    """No revision was ever applied."""
    BEHIND = "behind"
    """Revisions are pending."""
    AT_HEAD = "at_head"
    """Every revision is applied."""
    AHEAD = "ahead"
    """The database has a revision that this code does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision file."""

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus(Result):
    """The state of the database, compared with the revision files."""

    server: ServerFacts
    schema: str
    schema_exists: bool
    environment: str | None
    """Environment recorded in the database; None before ``larp db init``."""
    state: DatabaseState
    current: tuple[str, ...]
    """Current revisions of the database."""
    heads: tuple[str, ...]
    """Newest revisions among the revision files."""
    pending: tuple[Revision, ...] = ()
    """Revisions that ``larp db migrate`` would apply; empty if the database is ahead."""
    unknown: tuple[str, ...] = ()
    """Current revisions without a revision file: newer code applied them."""
    unknown_runs: tuple[LedgerEntry, ...] = ()
    """Ledger entries of the unknown revisions: who applied them, with which version."""
    lock_holders: tuple[LockHolder, ...] = ()
    """Sessions of a running migration; the one that runs the revisions comes first."""
    invalid_indexes: tuple[str, ...] = ()
    """Indexes left invalid by a failed CREATE INDEX CONCURRENTLY."""

    @property
    def exit_code(self) -> ExitCode:
        """Any state but ``at_head`` ends the command with 3."""
        return ExitCode.OK if self.state is DatabaseState.AT_HEAD else ExitCode.NEGATIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRevision:
    """A revision that the command ran."""

    revision: str
    description: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated(Result):
    """The result of a migration."""

    database: str
    schema: str
    before: tuple[str, ...]
    """Current revisions before the migration."""
    after: tuple[str, ...]
    """Current revisions after it."""
    applied: tuple[AppliedRevision, ...] = ()
    """Revisions applied, in order."""
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether a revision was applied."""
        return bool(self.applied)


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised(Result):
    """The result of ``larp db init``."""

    created_database: bool
    """Whether the database was missing and has been created."""
    environment: str
    """Environment recorded in the database."""
    migrated: Migrated
    seeded: Seeded | None = None
    """None without ``--seed``."""

    @property
    def changed(self) -> bool:
        """Whether the database, its schema or its data changed."""
        seeded = self.seeded is not None and self.seeded.changed
        return self.created_database or self.migrated.changed or seeded


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A revision file, and whether the database has it."""

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    applied: bool | None
    """None if the database is ahead: a newer revision may include this one."""
    head: bool
    """Whether no other revision follows."""
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History(Result):
    """The revision files, and the runs recorded in the ledger."""

    current: tuple[str, ...]
    """Current revisions of the database."""
    revisions: tuple[HistoryEntry, ...]
    """The revision files, newest first."""
    runs: tuple[LedgerEntry, ...] = ()
    """The ledger, newest first; empty if larp never migrated this database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WasReset(Result):
    """The result of a reset: a schema dropped and initialised again."""

    schema: str
    dropped: tuple[TableSize, ...]
    """Tables that the schema held before."""
    backup: Backup | None
    """Backup of what was dropped; None with ``--no-backup``, or if there was no schema."""
    restore_command: str | None
    """Command that undoes the reset."""
    initialised: Initialised

    @property
    def changed(self) -> bool:
        """A reset always changes the database."""
        return True


class Direction(StrEnum):
    """What was done with a revision."""

    UP = "up"
    DOWN = "down"
    STAMP = "stamp"


class RunOutcome(StrEnum):
    """How a run of a revision ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One run of a revision, as recorded in the ledger."""

    revision: str
    direction: str
    """``up``, ``down`` or ``stamp``."""
    outcome: str
    """``succeeded``, ``failed`` or ``interrupted``."""
    started_at: datetime
    """When the run started, by the server's clock."""
    seconds: float
    """Duration of the run."""
    operator: str
    """Operating-system account that ran larp."""
    host: str
    """Machine that ran larp."""
    database_user: str
    """Database role that ran the revision."""
    larp_version: str
    """Version of larp."""
    file_sha256: str | None
    """SHA-256 of the revision file at that time; None for a stamp."""
    error: str | None
    """Error message of a failed run; None if it succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """A session that holds a lock a revision waits for."""

    pid: int
    application: str
    user: str
    state: str
    """State of the session, such as ``idle in transaction``."""
    transaction_seconds: float
    """Age of its transaction, in seconds."""
    query_started: datetime | None
    """When its last statement began. The statement is left out, as it may hold data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Result):
    """The result of a rollback."""

    database: str
    schema: str
    before: tuple[str, ...]
    """Current revisions before the command."""
    after: tuple[str, ...]
    """Current revisions after it."""
    undone: tuple[AppliedRevision, ...] = ()
    """Revisions undone, in order."""
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether a revision was undone."""
        return bool(self.undone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped(Result):
    """The result of a stamp: a revision recorded without running it."""

    database: str
    schema: str
    before: tuple[str, ...]
    """Current revisions before the command."""
    after: tuple[str, ...]
    """Current revisions after it."""

    @property
    def changed(self) -> bool:
        """Whether the recorded revision changed."""
        return self.before != self.after
