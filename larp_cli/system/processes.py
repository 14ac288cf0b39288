"""Programs beside this Python, and the end of a process with all that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

GRACE_SECONDS = 3.0
"""How long a process may take to end after each signal, before the next one is sent."""


def find_installed(program: str) -> Path | None:
    """Find a program beside this Python, where pip installs it, or on PATH."""
    beside = Path(sys.executable).with_name(program)
    if beside.is_file():
        return beside
    on_path = shutil.which(program)
    return Path(on_path) if on_path else None


def end_process_group(process: subprocess.Popen[Any], *signals: signal.Signals) -> None:
    """End a process and everything in its group: each of ``signals`` in turn, then SIGKILL.

    The process must lead a group of its own: ``process_group=0`` or ``start_new_session``.
    A process that has ended already is left alone.
    """
    if process.poll() is not None:
        return
    try:
        for number in signals:
            if process.poll() is None:
                _signal_group(process, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)  # also ends what a process left behind
        process.wait()


def _signal_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
