"""Results about lock files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.results.base import Result


class PinChangeKind(StrEnum):
    """How a pin changed."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    CHANGED = "changed"
    """Same version, different hashes or markers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChange:
    """A package whose pin changed."""

    name: str
    kind: PinChangeKind
    before: str | None
    """Version before; None if the package was added."""
    after: str | None
    """Version after; None if the package was removed."""
    major: bool
    """Whether the first number of the version changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFileDiff:
    """The changes in one lock file."""

    path: Path
    """Path, relative to the project."""
    extras: tuple[str, ...]
    """Extras of the project that the file includes."""
    pins: int
    """Number of pinned packages."""
    changes: tuple[PinChange, ...]
    rewritten: bool
    """Whether the text differs, even if only in comments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsUpdated(Result):
    """The result of an update."""

    project: Path
    backend: str
    """``pip-tools`` or ``uv``."""
    order: str
    """``dev first``, or ``main first`` if dev first had no solution."""
    files: tuple[LockFileDiff, ...]
    notes: tuple[str, ...]
    """Anything unusual, such as a pin whose version no longer exists."""
    written: bool
    """Whether the files were written; false with ``--dry-run``, or if nothing differs."""
    backup: str | None
    """Name of the backup of the old files; None if none was made."""
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether a file was written."""
        return self.written


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFinding:
    """A fault in the lock files."""

    code: str
    """One of ``missing``, ``unreadable``, ``interrupted``, ``stale``, ``edited``,
    ``unsatisfied``, ``unequal``, ``not_in_dev``, ``hashes``, ``line_ends``, ``unsafe``,
    ``outdated``."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsChecked(Result):
    """Whether the lock files match ``pyproject.toml`` and each other."""

    project: Path
    files: tuple[Path, ...]
    findings: tuple[LockFinding, ...]
    resolved: bool
    """Whether dependencies were resolved again, using the package index (``--resolve``)."""

    @property
    def exit_code(self) -> ExitCode:
        """Any finding ends the command with 3."""
        return ExitCode.NEGATIVE if self.findings else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsRolledBack(Result):
    """The result of a rollback: lock files restored from a backup."""

    project: Path
    backup: str
    """Name of the backup they were restored from."""
    files: tuple[LockFileDiff, ...]
    written: bool
    """Whether the files were written; false if they were already the same."""
    way_back: str | None
    """Name of the backup of what was replaced; None if there was nothing to replace."""

    @property
    def changed(self) -> bool:
        """Whether a file was written."""
        return self.written
