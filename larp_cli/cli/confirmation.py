"""Ask for confirmation before something is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from larp_cli.cli.terminal import Terminal, drop_failed_writes
from larp_cli.errors import Refused
from larp_cli.rendering.printable import printable


def make_prompt(terminal: Terminal, *, quiet: bool) -> Callable[[str, Sequence[str]], str | None]:
    """Return the prompt for the database's name; it returns None where nobody can answer.

    With ``quiet`` nothing has shown yet what is at stake, so the prompt shows it.
    """

    def prompt(expected: str, stake: Sequence[str]) -> str | None:
        if not terminal.somebody_answers:
            return None
        lines = [printable(line) for line in stake] if quiet else []
        question = f"Type the database's name ({printable(expected)}) to continue: "
        stderr = drop_failed_writes(sys.stderr)
        stderr.write("\n".join([*lines, question]))
        stderr.flush()
        return _read_line()

    return prompt


def _read_line() -> str:
    """Read the answer.

    Raises:
        Refused: The input ended, the terminal is gone, or the answer is not text.
    """
    try:
        answer = sys.stdin.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused("not confirmed; nothing was changed") from error
    if not answer:
        raise Refused("not confirmed; nothing was changed")
    return answer.strip()
