"""Every failure that larp can explain, and the exit code it ends in."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the process. A number never changes its meaning."""

    OK = 0
    """Done, or nothing to do."""
    FAILURE = 1
    """Failed for a reason that has no code of its own, or because of a bug."""
    USAGE = 2
    """The command line is wrong."""
    NEGATIVE = 3
    """The answer is no: something is pending, does not match, or is unhealthy."""
    CONFIGURATION = 4
    """A setting, file or extra is missing or wrong."""
    UNREACHABLE = 5
    """The database did not answer in time, or rejected the connection."""
    REFUSED = 6
    """A guard or a missing confirmation stopped the command. Nothing was changed, unless the
    message says so."""
    LOCKED = 7
    """Another migration is running, or a table stayed locked through all retries."""
    MIGRATION_FAILED = 8
    """A revision failed. The message names the revisions that are committed."""
    INTERRUPTED = 130
    """SIGINT (Ctrl-C): stopped at a safe point, and cancelled the running query."""
    TERMINATED = 143
    """SIGTERM: stopped at a safe point, and cancelled the running query."""


class LarpError(Exception):
    """A failure that larp can explain: what happened, why, and the command that fixes it.

    Raise a subclass; its ``exit_code`` becomes the exit code of the process. ``hint`` is one
    line: the exact command, where there is one.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.changed = False
        """Whether a change made before the failure stays in effect."""

    @property
    def code(self) -> str:
        """Name of the exit code, as in the JSON document."""
        return self.exit_code.name


class CommandFailed(LarpError):
    """A program that larp runs, or the work itself, failed."""


class UsageError(LarpError):
    """The command line is wrong in a way that only the command can detect."""

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
    """The database did not answer in time, or rejected the connection."""

    exit_code = ExitCode.UNREACHABLE


class Refused(LarpError):
    """A guard or a missing confirmation stopped the command; nothing was changed."""

    exit_code = ExitCode.REFUSED


class Locked(LarpError):
    """Another session holds a lock that the command needs, and did not release it in time."""

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


class Stopped(KeyboardInterrupt):
    """A signal stopped the work, and the work says how far it got.

    Raise it ``from`` the signal. A KeyboardInterrupt like the signal itself, so that every
    library lets it through.
    """

    def __init__(self, message: str, *, changed: bool) -> None:
        super().__init__(message)
        self.message = message
        self.changed = changed
        """Whether something was changed before, and stays changed."""


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """List an exception and everything that led to it, the newest first."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        cause = todo.pop()
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            todo += [cause.__context__, cause.__cause__]
            yield cause
