"""Asks for confirmation before something is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from larp_cli.cli.terminal import Terminal
from larp_cli.errors import Refused
from larp_cli.rendering.printable import printable


def typed_name(terminal: Terminal, *, quiet: bool) -> Callable[[str, Sequence[str]], str | None]:
    """Make the question of the guard: it returns what was typed, or None off a terminal.

    With ``quiet`` nothing has shown yet what is at stake, so the question shows it.
    """

    def ask(expected: str, stake: Sequence[str]) -> str | None:
        if not terminal.somebody_answers:
            return None
        for line in stake if quiet else ():
            print(printable(line), file=sys.stderr)
        name = printable(expected)
        print(f"Type the database's name ({name}) to continue: ", end="", file=sys.stderr)
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise Refused("not confirmed; nothing was changed")
        return answer.strip()

    return ask
