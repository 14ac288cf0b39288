"""Facts of what would be done and of what does not fit: plan, check, new revisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Problem, Result, counted


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStatement:
    """One statement that a pending revision will run."""

    sql: str
    in_transaction: bool
    """False within an ``autocommit_block``: it stays done when a later one fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedTable:
    """A table that a plan touches and that is there already, partitions included."""

    name: str
    """Schema and name, quoted where SQL needs it."""
    estimated_rows: int | None
    """As of the last ANALYZE or VACUUM; None before the first."""
    estimated_bytes: int | None
    """With indexes and TOAST, as of the last ANALYZE or VACUUM; None before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """Something in a pending revision that may hurt a running service."""

    rule: str
    """Squawk's name of the rule, or one of larp's: ``not-rendered``, ``waiver-without-reason``."""
    message: str
    advice: str | None
    """What to do instead; None where there is no advice."""
    statement: str | None
    """The statement that it is about; None where it is about the revision file."""
    waived: str | None
    """The reason in the revision file for accepting it; None where it is not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRevision:
    """A pending revision, and what it would do."""

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    path: Path
    sql: str | None
    """The statements as one text; None where none could be rendered."""
    statements: tuple[PlannedStatement, ...]
    inspects_database: bool
    """Whether it asks the database before it acts, so that its SQL depends on the answer."""
    incomplete: str | None
    """Why ``sql`` is not all that it will run; None where it is."""
    tables: tuple[TouchedTable, ...]
    hazards: tuple[Hazard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPlan(Result):
    """What a migration would do, from the revision at which the database is."""

    database: str
    schema: str
    current: tuple[str, ...]
    """Revisions with which the database is stamped."""
    target: str
    """The revision up to which was planned, as it was asked for."""
    revisions: tuple[PlannedRevision, ...]
    """In the order in which they would run."""
    hazards_checked: bool
    """Whether hazards were looked for; it takes the extra ``lint``."""
    required: bool
    """Whether the answer is to be "no" when a hazard is not waived."""

    @property
    def unwaived(self) -> tuple[Hazard, ...]:
        """The hazards that nobody has accepted."""
        found = (hazard for revision in self.revisions for hazard in revision.hazards)
        return tuple(hazard for hazard in found if hazard.waived is None)

    @property
    def problem(self) -> Problem | None:
        """A hazard that is not waived is a "no" where the question was asked."""
        if not self.required or not self.unwaived:
            return None
        rules = ", ".join(sorted({hazard.rule for hazard in self.unwaived}))
        return Problem(
            exit_code=ExitCode.NEGATIVE,
            message=f"{counted(len(self.unwaived), 'hazard')} not waived: {rules}",
            hint="mend the revision, or accept it there: # larp: allow RULE: the reason",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not fit between models, revision files and database."""

    code: str
    """One of ``several_heads``, ``not_initialised``, ``pending``, ``ahead``, ``model_drift``,
    ``edited``, ``invalid_index``, ``unnamed``, ``undocumented``."""
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCheck(Result):
    """Whether models, revision files and database fit together."""

    database: str
    schema: str
    current: tuple[str, ...]
    heads: tuple[str, ...]
    checked: tuple[str, ...]
    """What was looked at."""
    skipped: tuple[str, ...]
    """What was not looked at, and why."""
    findings: tuple[Finding, ...]
    repair: tuple[str, ...]
    """Alembic operations that would make the schema equal the models."""

    @property
    def problem(self) -> Problem | None:
        """Any finding is a "no"."""
        if not self.findings:
            return None
        codes = ", ".join(dict.fromkeys(finding.code for finding in self.findings))
        return Problem(
            exit_code=ExitCode.NEGATIVE,
            message=f"{counted(len(self.findings), 'finding')}: {codes}",
            hint=self.findings[0].hint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFile(Result):
    """A revision file that was written, or none because nothing differs."""

    message: str
    revision: str | None
    """None where nothing was written: nothing differs that a statement could change."""
    down_revisions: tuple[str, ...]
    path: Path | None
    by_hand: tuple[str, ...] = ()
    """What differs and takes more than a statement, so that somebody has to write it."""

    @property
    def changed(self) -> bool:
        """Whether a file was written."""
        return self.path is not None
