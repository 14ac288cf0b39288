"""What the streams of this process can show."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing import TextIO


@dataclass(frozen=True, slots=True)
class Terminal:
    """What stdin, stdout and stderr are, and what the environment asks of them."""

    stdin_is_terminal: bool
    stdout_is_terminal: bool
    stderr_is_terminal: bool
    colour_allowed: bool
    colour_forced: bool
    animation_allowed: bool

    @classmethod
    def detect(cls) -> Terminal:
        """Look at the streams, and at NO_COLOR, FORCE_COLOR, TERM and CI."""
        dumb = os.environ.get("TERM") == "dumb"
        no_colour = bool(os.environ.get("NO_COLOR"))
        forced = bool(os.environ.get("FORCE_COLOR")) and not no_colour
        in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
        return cls(
            stdin_is_terminal=_is_terminal(sys.stdin),
            stdout_is_terminal=_is_terminal(sys.stdout),
            stderr_is_terminal=_is_terminal(sys.stderr),
            colour_allowed=forced or not (no_colour or dumb),
            colour_forced=forced,
            animation_allowed=_is_terminal(sys.stderr) and not dumb and not in_ci,
        )

    def without_colour(self) -> Terminal:
        """Return the same terminal with colour refused, as ``--no-color`` asks."""
        return replace(self, colour_allowed=False)

    @property
    def stdout_has_colour(self) -> bool:
        """Whether the result may be coloured."""
        return self.colour_allowed and (self.stdout_is_terminal or self.colour_forced)

    @property
    def stderr_has_colour(self) -> bool:
        """Whether messages may be coloured."""
        return self.colour_allowed and (self.stderr_is_terminal or self.colour_forced)

    @property
    def somebody_answers(self) -> bool:
        """Whether a question would be seen and could be answered."""
        return self.stdin_is_terminal and self.stderr_is_terminal


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):  # closed, or None under a service manager
        return False


class _Drawing:
    """A stream that drops what cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def drop_failed_writes(stream: TextIO) -> TextIO:
    """Return the stream for drawing on it: a terminal that is gone must not stop the work."""
    return cast("TextIO", _Drawing(stream))
