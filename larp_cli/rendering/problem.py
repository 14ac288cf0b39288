"""A problem as lines for stderr: what happened, and the command that fixes it."""

from __future__ import annotations

from larp_cli.errors import ExitCode
from larp_cli.rendering.answer import Problem
from larp_cli.rendering.printable import printable

_RED, _YELLOW, _CYAN, _RESET = "\033[1;31m", "\033[1;33m", "\033[36m", "\033[0m"


def render(problem: Problem, *, colour: bool) -> str:
    """Write the message, and the hint on its own line.

    A negative answer is not an error, so its message has no ``error:`` in front.
    """
    message = printable(problem.message)
    if problem.exit_code is ExitCode.NEGATIVE:
        lines = [_painted(message, _YELLOW, colour)]
    else:
        lines = [f"{_painted('error:', _RED, colour)} {message}"]
    if problem.hint:
        lines.append(f"{_painted('hint:', _CYAN, colour)} {printable(problem.hint)}")
    return "\n".join(lines)


def _painted(text: str, paint: str, colour: bool) -> str:
    return f"{paint}{text}{_RESET}" if colour else text
