"""Every failure that larp can explain, and the exit code it ends in."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells the shell. The numbers are never reassigned."""

    OK = 0
    """Done, or nothing to do."""
    FAILURE = 1
    """Failed for a reason that has no code of its own, or a bug."""
    USAGE = 2
    """The command line is wrong."""
    NEGATIVE = 3
    """A question was asked and the answer is no."""
    CONFIGURATION = 4
    """A setting, file or extra is missing or wrong."""
    UNREACHABLE = 5
    """The database did not answer, or refused us, in time."""
    REFUSED = 6
    """A guard or a missing confirmation stopped it; nothing was changed."""
    LOCKED = 7
    """Another migrator holds the mutex, or tables stayed locked through all retries."""
    MIGRATION_FAILED = 8
    """A revision failed; the message says which revisions are committed."""
    INTERRUPTED = 130
    """SIGINT: stopped at a safe point, the server's query cancelled."""
    TERMINATED = 143
    """SIGTERM: stopped at a safe point, the server's query cancelled."""


class LarpError(Exception):
    """A failure that larp can explain: what, why, and the command that fixes it.

    Raise a subclass; its ``exit_code`` says what the shell is told. ``hint`` is one
    line, and holds the exact command where there is one.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.changed = False
        """Whether something was changed, and stays so, before the failure."""

    @property
    def code(self) -> str:
        """Name of the exit code, as it stands in the JSON document."""
        return self.exit_code.name


class CommandFailed(LarpError):
    """A program that larp runs, or the work itself, failed."""


class UsageError(LarpError):
    """The command line is wrong in a way that only the command itself can see."""

    exit_code = ExitCode.USAGE


class ConfigurationError(LarpError):
    """A setting, file or extra is missing or wrong."""

    exit_code = ExitCode.CONFIGURATION


class ExtraMissing(ConfigurationError):
    """A command needs an extra that is not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the extra '{extra}', which is not installed",
            hint=f"pip install 'larp-cli[{extra}]'",
        )
        self.extra = extra


class DatabaseUnreachable(LarpError):
    """The server did not answer, or refused us, in time."""

    exit_code = ExitCode.UNREACHABLE


class Refused(LarpError):
    """A guard or a missing confirmation stopped the command; nothing was changed."""

    exit_code = ExitCode.REFUSED


class Locked(LarpError):
    """Another session holds what we need, and did not let go in time."""

    exit_code = ExitCode.LOCKED


class MigrationFailed(LarpError):
    """A revision failed; those before it are committed."""

    exit_code = ExitCode.MIGRATION_FAILED


class Interrupted(LarpError):
    """SIGINT stopped the command at a safe point."""

    exit_code = ExitCode.INTERRUPTED


class Terminated(LarpError):
    """SIGTERM stopped the command at a safe point."""

    exit_code = ExitCode.TERMINATED
