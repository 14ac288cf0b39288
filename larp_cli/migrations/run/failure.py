"""What larp reports about a run of revisions that stopped before its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from larp_cli.errors import (
    ConfigurationError,
    DatabaseUnreachable,
    LarpError,
    Locked,
    MigrationFailed,
)
from larp_cli.postgres.catalog import describe_sessions
from larp_cli.postgres.errors import PermissionDenied, ResourcesExhausted, StatementTimeout
from larp_cli.results import AppliedRevision, Blocker, Direction

if TYPE_CHECKING:
    from larp_cli.migrations.run.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedRun:
    """Where a run stopped, and what is committed."""

    step: Step | None
    """The revision in flight; None at the end of the run."""
    direction: Direction
    applied: Sequence[AppliedRevision]
    """What this run has committed."""
    partly: bool
    """Whether the current revision has committed part of its work."""
    left_invalid: Sequence[str]
    """Indexes that the run left invalid."""
    blockers: Sequence[Blocker]
    """The sessions that last blocked the revision."""
    concurrently: bool
    """Whether the current statement had the timeout of ``CONCURRENTLY``."""
    command: str
    """The command that continues the run."""

    @property
    def changed(self) -> bool:
        """Whether the run has changed the database."""
        return bool(self.applied) or self.partly

    def interruption(self) -> str:
        """Describe where a signal stopped the run."""
        where = f"revision {self.step.revision}" if self.step else "the last step"
        return f"stopped in {where}; {self._committed()}{self._remains()}"

    def failure(self, cause: LarpError | None, reason: str, *, noted: bool) -> LarpError:
        """Describe which revision failed and why, and what is committed.

        Args:
            cause: The failure, if larp can explain it.
            reason: The failure as text.
            noted: Whether the failure could be written to the ledger.
        """
        message = f"{self._which()} failed: {reason}; {self._committed()}{self._remains()}"
        if self.applied and (isinstance(cause, DatabaseUnreachable) or not noted):
            # Their commits did not wait for the disk: see Worker.begin.
            message += "; if the server crashed, the newest of them may be lost (larp db status)"
        failure = self._failure(cause, message)
        failure.changed = self.changed
        return failure

    def _failure(self, cause: LarpError | None, message: str) -> LarpError:
        again = self.command
        if isinstance(cause, Locked):
            return Locked(message, hint=f"when the lock is released: {again}")
        if isinstance(cause, ConfigurationError):
            return ConfigurationError(message, hint=cause.hint)
        if isinstance(cause, StatementTimeout):
            return self._out_of_time(message)
        if isinstance(cause, DatabaseUnreachable):
            return DatabaseUnreachable(message, hint=f"larp db wait && {again}")
        if isinstance(cause, PermissionDenied | ResourcesExhausted):
            return MigrationFailed(message, hint=cause.hint)
        broken = self.step.file if self.step and self.step.file else "the revision"
        remedy = f"fix {broken} or the data"
        if self.partly:
            remedy += "; use IF NOT EXISTS for what is already committed"
        return MigrationFailed(message, hint=f"{remedy}; then: {again}")

    def _out_of_time(self, message: str) -> LarpError:
        setting = "CONCURRENTLY" if self.concurrently else "STATEMENT"
        hint = f"raise MIGRATION_{setting}_TIMEOUT, then: {self.command}"
        if self.blockers:
            held = f"{message}; last blocked by {describe_sessions(self.blockers)}"
            return Locked(held, hint=f"retry when that session has ended, or {hint}")
        return MigrationFailed(message, hint=hint)

    def _which(self) -> str:
        if self.step is None:
            return "the end of the run"
        if self.direction is Direction.STAMP:
            return f"stamping {self.step.revision}"
        return f"revision {self.step.revision} ({self.step.description})"

    def _committed(self) -> str:
        revisions = ", ".join(item.revision for item in self.applied) or "none"
        parts = ", and parts of this one" if self.partly else ""
        return f"committed before it in this run: {revisions}{parts}"

    def _remains(self) -> str:
        """List the invalid indexes that a failed CONCURRENTLY left behind."""
        left = self.left_invalid
        if not left:
            return ""
        names = ", ".join(left)
        if any("_ccnew" in name for name in left):  # of REINDEX; nothing will build it again
            return f"; left invalid: {names}; remove it: DROP INDEX CONCURRENTLY {left[0]}"
        # If part of the revision is committed, the next run fails on that first.
        again = "" if self.partly else ", and rebuilt by the next run"
        return f"; left invalid{again}: {names}"


def describe_error(error: Exception) -> str:
    """Write an error that larp cannot explain, as Python does."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
