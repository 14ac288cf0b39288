"""Running the server's programs: apart from our terminal, pipes, locks and environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from larp_cli.postgres.embedded.account import Account, process_options

LAUNCH_SECONDS = 10.0
UMASK = 0o077

# The shell ends at once, so that the server is nobody's child: no zombie, and no caller who
# waits for the end of our pipes waits for it. Nothing is quoted, as nothing is parsed.
DETACH = '"$@" >&2 & echo $!'


def environment(programs: Path) -> Mapping[str, str]:
    """Return all that the server sees of our environment: no PG* of the caller reaches it."""
    return {"PATH": f"{programs}:{os.defpath}", "LC_ALL": "C"}


def run_server_program(
    command: Sequence[str], account: Account | None, *, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL to its end, for at most ``timeout`` seconds."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=environment(Path(command[0]).parent),
        umask=UMASK,
        start_new_session=True,
        timeout=timeout,
        **process_options(account),
    )


def detach(command: Sequence[str], account: Account | None, log: int) -> int:
    """Start a server that outlives us, writing to the descriptor ``log``; return its pid.

    It has a session of its own: Ctrl-C at our terminal does not reach it.
    """
    launched = subprocess.run(
        ["/bin/sh", "-c", DETACH, "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd="/",
        env=environment(Path(command[0]).parent),
        umask=UMASK,
        start_new_session=True,
        timeout=LAUNCH_SECONDS,
        check=True,
        **process_options(account),
    )
    return int(launched.stdout)
