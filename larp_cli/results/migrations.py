"""Facts of revisions: where a database stands, what was run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Problem, Result, counted
from larp_cli.results.database import Backup, LockHolder, Seeded, ServerFacts, TableSize


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
    """Revisions that would be applied; none where the database is ahead."""
    unknown: tuple[str, ...] = ()
    """Stamped revisions that are not on disk: a newer version of the code applied them."""
    unknown_runs: tuple[LedgerEntry, ...] = ()
    """How the unknown revisions got in, as far as the ledger tells."""
    lock_holders: tuple[LockHolder, ...] = ()
    """Sessions of a migrator at work: the one that runs revisions first."""
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
                what, hint = f"pending: {counted(len(self.pending), 'revision')}", "larp db migrate"
            case DatabaseState.AHEAD:
                what = f"the database is ahead of this code: {', '.join(self.unknown)}"
                hint = newer_code(self.unknown_runs)
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
    applied: bool | None
    """None where the database is ahead: what newer code applied may build on this one."""
    head: bool
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History(Result):
    """The revisions on disk, and what was run."""

    current: tuple[str, ...]
    """Revisions with which the database is stamped."""
    revisions: tuple[HistoryEntry, ...]
    """The revisions on disk, newest first."""
    runs: tuple[LedgerEntry, ...] = ()
    """The ledger, newest first; empty for a database that larp never migrated."""


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


class Direction(StrEnum):
    """Which way a revision was run."""

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
    """One run of a revision, as the ledger has it."""

    revision: str
    direction: str
    """``up``, ``down`` or ``stamp``."""
    outcome: str
    """``succeeded``, ``failed`` or ``interrupted``."""
    started_at: datetime
    """When the run began, by the database's clock."""
    seconds: float
    """How long it took."""
    operator: str
    """Account of the operating system that ran larp."""
    host: str
    """Machine on which larp ran."""
    database_user: str
    """Role as which it ran."""
    larp_version: str
    """Version of larp that ran it."""
    file_sha256: str | None
    """Hash of the revision file as it was; None for a stamp."""
    error: str | None
    """Why it failed; None where it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFile:
    """A revision file that is not what it was when it ran."""

    revision: str
    path: Path
    applied_sha256: str
    """Hash of the file that ran."""
    sha256: str | None
    """Hash of the file as it is; None where it is gone."""
    applied_at: datetime
    larp_version: str
    """Version of larp that ran it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """A session for whose lock a revision waits."""

    pid: int
    application: str
    user: str
    state: str
    """What the session does, such as ``idle in transaction``."""
    transaction_seconds: float
    """Age of its transaction."""
    query_started: datetime | None
    """When its last statement began; the statement itself may hold data, and is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Result):
    """Revisions that were undone."""

    database: str
    schema: str
    before: tuple[str, ...]
    """Revisions with which the database was stamped."""
    after: tuple[str, ...]
    """Revisions with which it is stamped now."""
    undone: tuple[AppliedRevision, ...] = ()
    """What was undone, in the order in which it was."""
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether a revision was undone."""
        return bool(self.undone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped(Result):
    """A revision that was recorded without being run."""

    database: str
    schema: str
    before: tuple[str, ...]
    """Revisions with which the database was stamped."""
    after: tuple[str, ...]
    """Revisions with which it is stamped now."""

    @property
    def changed(self) -> bool:
        """Whether the database was stamped with something else before."""
        return self.before != self.after


def newer_code(runs: tuple[LedgerEntry, ...]) -> str:
    """Say what to run on a database that is ahead of the code."""
    if not runs:
        return "deploy the version of the code that holds these revisions"
    newest = runs[0]
    return (
        f"deploy the code of larp {newest.larp_version}, with which {newest.operator} on"
        f" {newest.host} applied them"
    )
