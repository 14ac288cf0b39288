"""What a format writes: the result of a command, its error, or both."""

from __future__ import annotations

from dataclasses import dataclass

from larp_cli.errors import ExitCode, LarpError
from larp_cli.results import Result

SCHEMA_VERSION = 1
"""Version of the JSON document. It changes only when a field is renamed or removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a command does not end with 0."""

    exit_code: ExitCode
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one command."""

    command: str
    """The command without the program name, such as ``db migrate``."""
    exit_code: ExitCode
    changed: bool
    """Whether anything other than larp's bookkeeping was changed."""
    result: Result | None = None
    error: Problem | None = None

    @classmethod
    def of(cls, command: str, result: Result) -> Answer:
        """Wrap a result, and explain it if its exit code is not 0."""
        return cls(
            command=command,
            exit_code=result.exit_code,
            changed=result.changed,
            result=result,
            error=_find_problem(result),
        )

    @classmethod
    def of_error(cls, command: str, error: LarpError) -> Answer:
        """Wrap a failure."""
        problem = Problem(exit_code=error.exit_code, message=error.message, hint=error.hint)
        return cls(command=command, exit_code=error.exit_code, changed=error.changed, error=problem)


def _find_problem(result: Result) -> Problem | None:
    if result.exit_code is ExitCode.OK:
        return None
    from larp_cli.rendering.explain import explain

    message, hint = explain(result)
    return Problem(exit_code=result.exit_code, message=message, hint=hint)
