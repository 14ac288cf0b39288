"""What a format writes: the result of a command, its error, or both."""

from __future__ import annotations

from dataclasses import dataclass

from larp_cli.errors import ExitCode, LarpError
from larp_cli.results import Problem, Result

SCHEMA_VERSION = 1
"""Version of the JSON document. It changes only when a field is renamed or removed."""


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
        """Wrap a result, with its problem if it has one."""
        problem = result.problem
        return cls(
            command=command,
            exit_code=problem.exit_code if problem else ExitCode.OK,
            changed=result.changed,
            result=result,
            error=problem,
        )

    @classmethod
    def of_error(cls, command: str, error: LarpError) -> Answer:
        """Wrap a failure."""
        problem = Problem(exit_code=error.exit_code, message=error.message, hint=error.hint)
        return cls(command=command, exit_code=error.exit_code, changed=error.changed, error=problem)
