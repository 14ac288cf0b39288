"""Processes that tests start, signal and end; one that is gone already is no error."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

PATIENCE = 60.0
"""Seconds to wait for a process that has nothing left to wait for; a machine may be busy."""


class Process(subprocess.Popen[str]):
    """A process that is killed when the block that uses it fails, instead of waited for."""

    def __exit__(self, *error: Any) -> None:
        """Wait for its end, unless something went wrong."""
        if error[0] is not None:
            self.kill()
        super().__exit__(*error)


def send_signals(pid: int, *numbers: signal.Signals) -> None:
    """Send signals to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        for number in numbers:
            os.kill(pid, number)


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process that still runs, reap it, and close its pipes."""
    process.kill()  # does nothing where it was reaped
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # input that nobody read
                pipe.close()
