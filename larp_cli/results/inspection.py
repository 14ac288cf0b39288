"""Results of planning, checking and writing revisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStatement:
    """A statement that a pending revision will run."""

    sql: str
    in_transaction: bool
    """False inside an ``autocommit_block``: the statement stays in effect if a later one fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedTable:
    """An existing table that a revision touches. Partitions are listed too."""

    name: str
    """Schema and name, quoted where SQL requires it."""
    estimated_rows: int | None
    """The server's estimate; None before the first ANALYZE or VACUUM."""
    estimated_bytes: int | None
    """Size with indexes and TOAST, in bytes; None before the first ANALYZE or VACUUM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """A statement in a pending revision that can disturb a running service."""

    rule: str
    """Name of a squawk rule, or one of larp's: ``not-rendered``, ``waiver-without-reason``."""
    message: str
    advice: str | None
    """The safe way to do it; None if there is no advice."""
    statement: str | None
    """The statement; None if the hazard concerns the whole revision file."""
    waived: str | None
    """The reason given in the revision file for accepting it; None if it is not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRevision:
    """A pending revision, and what it will do."""

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    path: Path
    sql: str | None
    """All statements as one text; None if none could be rendered."""
    statements: tuple[PlannedStatement, ...]
    inspects_database: bool
    """Whether the revision queries the database, so that its SQL depends on the result."""
    incomplete: str | None
    """Why ``sql`` does not show everything; None if it is complete."""
    tables: tuple[TouchedTable, ...]
    hazards: tuple[Hazard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPlan(Result):
    """What a migration would run, from the database's current revision."""

    database: str
    schema: str
    current: tuple[str, ...]
    """Current revisions of the database."""
    target: str
    """The target, as given on the command line."""
    revisions: tuple[PlannedRevision, ...]
    """Pending revisions, in the order they would run."""
    hazards_checked: bool
    """Whether squawk checked the SQL; requires the extra ``lint``."""
    required: bool
    """Whether an unaccepted hazard ends the command with 3 (``--check``)."""

    @property
    def unwaived(self) -> tuple[Hazard, ...]:
        """The hazards that no revision file accepts."""
        found = (hazard for revision in self.revisions for hazard in revision.hazards)
        return tuple(hazard for hazard in found if hazard.waived is None)

    @property
    def exit_code(self) -> ExitCode:
        """With ``--check``, an unaccepted hazard ends the command with 3."""
        return ExitCode.NEGATIVE if self.required and self.unwaived else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mismatch between models, revision files and database."""

    code: str
    """One of ``several_heads``, ``not_initialised``, ``pending``, ``ahead``, ``model_drift``,
    ``edited``, ``invalid_index``, ``unnamed``, ``undocumented``."""
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCheck(Result):
    """Whether models, revision files and database agree."""

    database: str
    schema: str
    current: tuple[str, ...]
    """Current revisions of the database."""
    heads: tuple[str, ...]
    """Newest revisions among the revision files."""
    checked: tuple[str, ...]
    """What was checked."""
    skipped: tuple[str, ...]
    """What was not checked, and why."""
    findings: tuple[Finding, ...]
    repair: tuple[str, ...]
    """Alembic operations that would make the schema match the models."""

    @property
    def exit_code(self) -> ExitCode:
        """Any finding ends the command with 3."""
        return ExitCode.NEGATIVE if self.findings else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFile(Result):
    """The result of ``larp db revision``. No file is written if nothing differs."""

    message: str
    revision: str | None
    """None if no file was written."""
    down_revisions: tuple[str, ...]
    path: Path | None
    by_hand: tuple[str, ...] = ()
    """Differences that you have to write yourself."""

    @property
    def changed(self) -> bool:
        """Whether a file was written."""
        return self.path is not None
