"""PostgreSQL's client programs: find the right version, and run them without leaking secrets."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from larp_cli.errors import CommandFailed, ConfigurationError, LarpError
from larp_cli.system.processes import end_process_group
from larp_cli.system.signals import signals_deferred

if TYPE_CHECKING:
    from larp_cli.postgres.database import Database

VERSION_TIMEOUT = 10
"""Longest duration of ``--version``, in seconds."""
TICK = 0.5
"""Seconds between two checks of a running program."""

type File = int | IO[bytes]


def find_program(name: str, *, server_major: int) -> Path:
    """Find ``psql``, ``pg_dump`` or ``pg_restore`` for a server of this major version.

    Raises:
        ConfigurationError: It is not installed, or all versions are too old.
    """
    return find_programs(name, server_major=server_major)[0]


def find_programs(name: str, *, server_major: int) -> Sequence[Path]:
    """List the programs of the server's major version or newer, oldest first.

    An older pg_dump refuses a newer server (PostgreSQL manual, "pg_dump: Notes"). A much newer
    pg_restore uses settings that an older server does not know, such as
    ``transaction_timeout``.

    Raises:
        ConfigurationError: It is not installed, or all versions are too old.
    """
    majors = {path: major for path in _candidates(name) if (major := major_version(path))}
    fitting = [path for path, major in majors.items() if major >= server_major]
    if not fitting:
        why = f"the newest here is {max(majors.values())}" if majors else "none is installed"
        raise ConfigurationError(
            f"{name} {server_major} or newer is required, but {why}",
            hint="pip install 'larp-cli[embedded]'",
        )
    return sorted(fitting, key=majors.__getitem__)


@cache
def major_version(path: Path) -> int | None:
    """Return a client program's major version; None if it cannot be determined.

    A backup asks several times, and each time is a process.
    """
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\b(\d+)(\.\d+|devel|beta\d|rc\d)", done.stdout)
    return int(match[1]) if match else None


def _candidates(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)
    from larp_cli.postgres.embedded.binaries import INSTALLS, installation

    for major in INSTALLS:
        with suppress(ConfigurationError):  # the wheel is not installed, or lacks this version
            yield installation(major) / name


def run_program(
    arguments: Sequence[str | Path],
    database: Database,
    *,
    timeout: float,
    what: str,
    tick: Callable[[], None] | None = None,
) -> str:
    """Run a client program on ``database`` and return its stdout.

    Args:
        arguments: The program and its arguments, without secrets.
        database: The database to connect to.
        timeout: Longest duration, in seconds.
        what: The program's name in errors.
        tick: Called about twice a second while it runs.

    Raises:
        CommandFailed: The program failed, or took longer than ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as complaints,
        running(arguments, database, stdout=output, stderr=complaints) as process,
    ):
        while not _ended(process):
            if time.monotonic() >= deadline:
                raise CommandFailed(f"{what} did not finish within {timeout:g} s")
            if tick is not None:
                tick()
        if process.returncode != 0:
            raise failure(what, process, complaints)
        return text_of(output)


@contextmanager
def running(
    arguments: Sequence[str | Path],
    database: Database,
    *,
    stdin: File = subprocess.DEVNULL,
    stdout: File = subprocess.DEVNULL,
    stderr: File = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a client program on ``database`` while the block runs, and end it afterwards.

    The environment carries the connection parameters, because every user of the machine can
    read argument lists. The program has its own process group, so that only larp forwards
    Ctrl-C.

    Raises:
        CommandFailed: The program cannot be run.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with signals_deferred():
            process = _start(arguments, database, stdin, stdout, stderr)
        yield process
    finally:
        if process is not None:
            with process:
                if process.stdin is not None:
                    process.stdin.close()
                end_program(process)


def _start(
    arguments: Sequence[str | Path], database: Database, stdin: File, stdout: File, stderr: File
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            env=client_environment(database),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            bufsize=0,
            process_group=0,
            # The program can then report a full disk or a closed pipe as an error.
            restore_signals=False,
        )
    except OSError as error:
        name = Path(arguments[0]).name
        raise CommandFailed(f"{name} cannot be run: {error.strerror}") from error


def end_program(process: subprocess.Popen[bytes]) -> None:
    """End a client program. On SIGINT it first cancels its query on the server."""
    end_process_group(process, signal.SIGINT, signal.SIGTERM)


def failure(what: str, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> LarpError:
    """Return the error for a program that failed, based on its error output."""
    lines = text_of(complaints).strip().splitlines()
    # The lines after the error are details, such as the whole statement.
    errors = [line for line in lines if "error:" in line or "ERROR:" in line] or lines
    status = process.returncode
    ended = f"exit status {status}" if status >= 0 else f"ended by {signal.Signals(-status).name}"
    return CommandFailed(f"{what} failed: {errors[0] if errors else ended}")


def text_of(file: IO[bytes]) -> str:
    """Read what a program wrote to a temporary file."""
    file.seek(0)
    return file.read().decode(errors="replace")


def client_environment(database: Database) -> dict[str, str]:
    """Return this process's environment with the connection's parameters as ``PG*``.

    If the URL has several hosts, only the one that larp connected to is passed. The program would
    otherwise try them again, wait for a dead one, or reach another server.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PGSERVICE"}
    given = database.url.environment()
    place = database.last_host.place
    if place is not None:
        named = dict(zip(("PGHOST", "PGHOSTADDR", "PGPORT"), place, strict=True))
        given |= {name: value for name, value in named.items() if value}
    timeout = {"PGCONNECT_TIMEOUT": str(max(2, math.ceil(database.connect_timeout)))}
    return inherited | timeout | given | {"PGAPPNAME": "larp"}


def _ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(TICK)
    return process.returncode is not None
