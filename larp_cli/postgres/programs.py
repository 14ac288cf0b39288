"""PostgreSQL's client programs: finding the right version, and running them without secrets."""

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
from pathlib import Path
from typing import IO, TYPE_CHECKING

from larp_cli.errors import CommandFailed, ConfigurationError, LarpError
from larp_cli.postgres.connection import answered
from larp_cli.system.processes import end_process_group
from larp_cli.system.signals import signals_deferred

if TYPE_CHECKING:
    from larp_cli.postgres.database import Database

VERSION_TIMEOUT = 10
"""Seconds that ``--version`` of a client program may take."""
TICK = 0.5
"""Seconds between two looks at a program that runs."""

type File = int | IO[bytes]


def find_program(name: str, *, server_major: int) -> Path:
    """Find ``psql``, ``pg_dump`` or ``pg_restore`` for a server of this major version.

    Raises:
        ConfigurationError: There is none, or all are too old.
    """
    return find_programs(name, server_major=server_major)[0]


def find_programs(name: str, *, server_major: int) -> Sequence[Path]:
    """List the programs of the server's major version or newer, the nearest first.

    An older pg_dump refuses a newer server, see the PostgreSQL manual, "pg_dump: Notes". Of
    the others the nearest is best: a newer pg_restore sets what an older server does not
    know, such as ``transaction_timeout``.

    Raises:
        ConfigurationError: There is none, or all are too old.
    """
    majors = {path: major for path in _candidates(name) if (major := major_version(path))}
    fitting = [path for path, major in majors.items() if major >= server_major]
    if not fitting:
        why = f"the newest here is {max(majors.values())}" if majors else "there is none here"
        raise ConfigurationError(
            f"{name} of version {server_major} or newer is needed, and {why}",
            hint="pip install 'larp-cli[embedded]'",
        )
    return sorted(fitting, key=majors.__getitem__)


def major_version(path: Path) -> int | None:
    """Ask a client program for its major version; None where it cannot say."""
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
        with suppress(ConfigurationError):  # the wheel is not installed, or without this version
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
        arguments: The program and its arguments, without a secret.
        database: Whose connection parameters it gets.
        timeout: Seconds that it may take.
        what: Its name in an error.
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
                raise CommandFailed(f"{what} was not finished after {timeout:g} s")
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
    """Start a client program on ``database``; whatever happens, it has ended afterwards.

    The connection's parameters travel in the environment: an argument list is there for
    every user of the machine to read. The program is in a process group of its own, so
    that a Ctrl-C reaches it through us alone.

    Raises:
        CommandFailed: It cannot be run.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with signals_deferred():
            process = _started(arguments, database, stdin, stdout, stderr)
        yield process
    finally:
        if process is not None:
            with process:
                if process.stdin is not None:
                    process.stdin.close()
                end_program(process)


def _started(
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
            # A full disk or a closed pipe is then an error that the program can tell.
            restore_signals=False,
        )
    except OSError as error:
        name = Path(arguments[0]).name
        raise CommandFailed(f"{name} cannot be run: {error.strerror}") from error


def end_program(process: subprocess.Popen[bytes]) -> None:
    """End a client program that still runs; on SIGINT it cancels the server's query first."""
    end_process_group(process, signal.SIGINT, signal.SIGTERM)


def failure(what: str, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> LarpError:
    """Make the error for a program that failed, from what it wrote to stderr."""
    lines = text_of(complaints).strip().splitlines()
    # What follows the error are details, such as the whole statement.
    told = [line for line in lines if "error:" in line or "ERROR:" in line] or lines
    status = process.returncode
    ended = f"exit status {status}" if status >= 0 else f"ended by {signal.Signals(-status).name}"
    return CommandFailed(f"{what} failed: {told[0] if told else ended}")


def text_of(file: IO[bytes]) -> str:
    """Read what a program wrote into a temporary file."""
    file.seek(0)
    return file.read().decode(errors="replace")


def client_environment(database: Database) -> dict[str, str]:
    """Return this process's environment with the connection's parameters as ``PG*``.

    Of several hosts the one is named that let larp in: a program would try them anew, and
    might wait at a dead one, or end up on another server than the one that was looked at.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PGSERVICE"}
    given = database.url.environment()
    place = answered(database.url)
    if place is not None:
        named = dict(zip(("PGHOST", "PGHOSTADDR", "PGPORT"), place, strict=True))
        given |= {name: value for name, value in named.items() if value}
    timeout = {"PGCONNECT_TIMEOUT": str(max(2, math.ceil(database.connect_timeout)))}
    return inherited | timeout | given | {"PGAPPNAME": "larp"}


def _ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(TICK)
    return process.returncode is not None
