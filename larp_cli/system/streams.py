"""The standard streams, whose readers may be gone or were never there."""

from __future__ import annotations

import os
import select
import sys
import time

STDIN, STDOUT, STDERR = range(3)
"""Descriptors of the standard streams."""

_NAMES = ("stdin", "stdout", "stderr")


def open_standard_streams() -> None:
    """Reopen closed standard streams on /dev/null.

    Call it before anything else is opened. The next file or socket would otherwise get
    descriptor 0, 1 or 2, and whatever is written to that stream would go into it.
    """
    for descriptor, name in enumerate(_NAMES):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this descriptor
            os.set_inheritable(descriptor, True)
            mode = "r" if descriptor == STDIN else "w"
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def write_to_stderr(line: str) -> None:
    """Write a line to stderr. A failure to write it must not stop the work.

    A reader that is gone stays gone, so nothing more is written for it. A full disk may have
    room again, so the next line is tried.
    """
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        discard_output(STDERR)
    except OSError:
        pass


def wait_unless_unread(seconds: float) -> bool:
    """Wait so many seconds; returns True, at once, when the reader of stdout is gone.

    The reader of a pipe has closed it, or the terminal was closed. A command that only waits
    would not notice before it next writes.
    """
    poll = select.poll()
    poll.register(STDOUT, 0)  # POLLERR and POLLHUP are always reported
    ended = time.monotonic() + seconds
    for _, event in poll.poll(seconds * 1000):
        if event & (select.POLLERR | select.POLLHUP):
            return True
        time.sleep(max(0.0, ended - time.monotonic()))  # macOS cannot poll a device
    return False


def flush_standard_streams() -> None:
    """Flush stdout and stderr; what cannot be written is discarded.

    Python flushes them once more when it ends, and turns a failure into exit code 120.
    """
    for descriptor, stream in ((STDOUT, sys.stdout), (STDERR, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            discard_output(descriptor)


def discard_output(descriptor: int) -> None:
    """Point a stream's descriptor at /dev/null."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
