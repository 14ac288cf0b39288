"""Writing to stdout, whose reader may have gone."""

from __future__ import annotations

import os
import sys


def write_result(text: str) -> None:
    """Write ``text`` and flush; a reader that closed the pipe has what it wanted."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout.fileno())


def silence(descriptor: int) -> None:
    """Point a stream's descriptor at nothing, so that flushing it at exit cannot fail."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
