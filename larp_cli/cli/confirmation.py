"""Asking before something is lost, and refusing where nobody can answer."""

from __future__ import annotations

import sys
from collections.abc import Callable

from larp_cli.cli.terminal import Terminal
from larp_cli.errors import Refused


def typed_name(terminal: Terminal) -> Callable[[str], str | None]:
    """Make the question that a guard asks: it returns what was typed, or None off a terminal."""

    def ask(expected: str) -> str | None:
        if not terminal.somebody_answers:
            return None
        print(f"Type the database's name, {expected}, to go on: ", end="", file=sys.stderr)
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise Refused("nothing was typed; nothing was changed")
        return answer.strip()

    return ask
