"""Run the server's programs, isolated from our terminal, pipes, locks and environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from larp_cli.postgres.embedded.account import Account, process_options

LAUNCH_SECONDS = 10.0
UMASK = 0o077

# The shell exits at once and orphans the server. So the server never becomes our zombie, and a
# caller that waits for our pipes to close does not wait for it. "$@" needs no quoting.
DETACH = '"$@" >&2 & echo $!'


def environment(programs: Path) -> Mapping[str, str]:
    """Return the server's whole environment. No PG* variable of the caller reaches it."""
    return {"PATH": f"{programs}:{os.defpath}", "LC_ALL": "C"}


def run_server_program(
    command: Sequence[str], account: Account | None, *, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL until it exits, for at most ``timeout`` seconds."""
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
    """Start a server that outlives this process and logs to a descriptor. Return its pid.

    It runs in its own session, so Ctrl-C at our terminal does not reach it.
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
