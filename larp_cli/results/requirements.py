"""Facts of lock files: what an update changed, what a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Problem, Result, counted


class PinChangeKind(StrEnum):
    """What became of a pin."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    CHANGED = "changed"
    """The same version, with other hashes or another marker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChange:
    """One package whose pin is another."""

    name: str
    kind: PinChangeKind
    before: str | None
    """Version; None where there was none."""
    after: str | None
    """Version; None where there is none any more."""
    major: bool
    """Whether the first number of the version is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFileDiff:
    """One lock file, and what is different in it."""

    path: Path
    """Relative to the project."""
    extras: tuple[str, ...]
    pins: int
    changes: tuple[PinChange, ...]
    rewritten: bool
    """Whether its text is another, be it only in the comments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsUpdated(Result):
    """Two lock files that belong together."""

    project: Path
    backend: str
    order: str
    """``dev first``, or ``main first`` where dev first could not be resolved."""
    files: tuple[LockFileDiff, ...]
    notes: tuple[str, ...]
    """What was done besides, such as a pin that exists no more."""
    written: bool
    """Whether the files were written; not with ``--dry-run``, and not where nothing differs."""
    backup: str | None
    """Name of the backup to return to; None where none was made."""
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether a file was written."""
        return self.written


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFinding:
    """Something in the lock files that is not as it should be."""

    code: str
    """One of ``missing``, ``unreadable``, ``interrupted``, ``stale``, ``edited``,
    ``unsatisfied``, ``unequal``, ``not_in_dev``, ``hashes``, ``line_ends``, ``unsafe``,
    ``outdated``."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsChecked(Result):
    """Whether the lock files fit ``pyproject.toml`` and each other."""

    project: Path
    files: tuple[Path, ...]
    findings: tuple[LockFinding, ...]
    resolved: bool
    """Whether everything was resolved anew for it, with the index."""

    @property
    def problem(self) -> Problem | None:
        """Any finding makes the answer a "no"."""
        if not self.findings:
            return None
        return Problem(
            exit_code=ExitCode.NEGATIVE,
            message=f"{counted(len(self.findings), 'finding')}: {self.findings[0].message}",
            hint="larp requirements update",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsRolledBack(Result):
    """Lock files that were put back."""

    project: Path
    backup: str
    """The backup that they came from."""
    files: tuple[LockFileDiff, ...]
    written: bool
    """Whether the files were written; not where they were the same already."""
    way_back: str | None
    """The backup of what was replaced; None where there was nothing."""

    @property
    def changed(self) -> bool:
        """Whether a file was written."""
        return self.written
