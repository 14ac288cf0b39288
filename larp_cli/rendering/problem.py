"""A problem as lines for stderr: what, why, and the command that fixes it."""

from __future__ import annotations

from larp_cli.errors import ExitCode
from larp_cli.rendering.printable import printable
from larp_cli.results import Problem

_RED, _YELLOW, _CYAN, _RESET = "\033[1;31m", "\033[1;33m", "\033[36m", "\033[0m"


def render(problem: Problem, *, colour: bool) -> str:
    """Write the message, and the hint on a line of its own.

    An answer of "no" is no error, so it is not called one.
    """
    negative = problem.exit_code is ExitCode.NEGATIVE
    label, paint = ("no:", _YELLOW) if negative else ("error:", _RED)
    lines = [f"{_painted(label, paint, colour)} {printable(problem.message)}"]
    if problem.hint:
        lines.append(f"{_painted('hint:', _CYAN, colour)} {printable(problem.hint)}")
    return "\n".join(lines)


def _painted(text: str, paint: str, colour: bool) -> str:
    return f"{paint}{text}{_RESET}" if colour else text
