"""Replace the process of the command line by the smaller serving process."""

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
    """Block signals until the serving process handles them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def replace_process(options: ServeOptions) -> NoReturn:
    """Become the serving process. The pid, the streams and the listening sockets stay."""
    for descriptor in options.sockets:
        os.set_inheritable(descriptor, True)
    flush_standard_streams()
    command = [sys.executable, "-P", "-m", "larp_cli.health.http.process"]
    os.execve(sys.executable, [*command, str(write_options(options))], _environment())


def _environment() -> dict[str, str]:
    """Return an environment in which the serving process finds this package.

    ``-P`` removes the current directory from the search path, so a checkout that is not installed
    is added to PYTHONPATH.
    """
    package = str(Path(__file__).resolve().parents[3])
    try:
        here = os.getcwd()
    except FileNotFoundError:  # the directory was removed
        here = ""
    if package != here:
        return dict(os.environ)
    paths = filter(None, [package, os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
