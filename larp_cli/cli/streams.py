"""Writing to stdout and stderr, whose readers may have gone."""

from __future__ import annotations

import os
import sys

from larp_cli.errors import CommandFailed


class OutputLost(CommandFailed):
    """Stdout takes no more: its disk is full, or its device is gone."""


def write_result(text: str) -> None:
    """Write ``text`` and flush; a reader that closed the pipe has what it wanted.

    Raises:
        OutputLost: Stdout cannot be written for another reason.
    """
    if sys.stdout is None:  # closed by whoever started us
        return
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout.fileno())
    except OSError as error:
        silence(sys.stdout.fileno())
        raise OutputLost(
            f"the result cannot be written to stdout: {error.strerror}",
            hint="make room, or write it elsewhere",
        ) from error


def write_message(text: str) -> None:
    """Write a line to stderr; that nobody can read it must not stop the work."""
    if sys.stderr is None:  # closed by whoever started us; print would turn to stdout
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr.fileno())


def silence(descriptor: int) -> None:
    """Point a stream's descriptor at nothing, so that flushing it at exit cannot fail."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
