"""From the command line to the serving process: this one, replaced by a small one."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from larp_cli.health.http.options import ServeOptions, write_options
from larp_cli.system.streams import flush_standard_streams

ENDING = (signal.SIGTERM, signal.SIGINT)


def hold_signals() -> None:
    """Let signals wait until the serving process can hear them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def replace_process(options: ServeOptions) -> NoReturn:
    """Become the serving process. The pid stays, and so do streams and listening sockets."""
    for descriptor in options.sockets:
        os.set_inheritable(descriptor, True)
    flush_standard_streams()
    command = [sys.executable, "-P", "-m", "larp_cli.health.http.process"]
    os.execve(sys.executable, [*command, str(write_options(options))], _environment())


def _environment() -> dict[str, str]:
    """Let the package be found where it was; ``-P`` keeps the current directory out of the way.

    Started as ``python -m larp_cli`` in a checkout that is not installed, it is found there.
    """
    package = str(Path(__file__).resolve().parents[3])
    try:
        here = os.getcwd()
    except FileNotFoundError:  # removed under us
        here = ""
    if package != here:
        return dict(os.environ)
    paths = filter(None, [package, os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
