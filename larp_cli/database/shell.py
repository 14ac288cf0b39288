"""psql on the configured database."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from larp_cli.database.catalogue import server_major
from larp_cli.database.programs import client_environment, find_program
from larp_cli.errors import CommandFailed
from larp_cli.results import ShellOutput

if TYPE_CHECKING:
    from larp_cli.database.target import Database


def open_shell(database: Database, arguments: Sequence[str]) -> int:
    """Run psql on this terminal; returns its exit status.

    Ctrl-C is psql's while it runs: it cancels the statement and keeps the session.
    """
    command = _command(database, arguments)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            command, env=client_environment(database), preexec_fn=_default_interrupt
        )
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
        # As a shell tells it: 128 and the number of the signal that ended psql.
        return status if status >= 0 else 128 - status
    finally:
        signal.signal(signal.SIGINT, before)


def capture_shell(database: Database, arguments: Sequence[str], *, timeout: float) -> ShellOutput:
    """Run psql without a terminal and keep what it writes.

    Raises:
        CommandFailed: psql took longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(
            _command(database, arguments),
            env=client_environment(database),
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"psql was not finished after {timeout:g} s") from error
    return ShellOutput(output=done.stdout, status=done.returncode)


def _command(database: Database, arguments: Sequence[str]) -> list[str]:
    with database.connection() as connection:
        major = server_major(connection)
    return [str(find_program("psql", server_major=major)), *arguments]


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
