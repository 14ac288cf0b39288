"""The directory of the server's Unix socket: private, and short enough for an address."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from larp_cli.postgres.embedded.account import Account, blocking, give

LONGEST = 103
"""Longest path of a socket, in bytes, on every system: 107 on Linux, 103 on macOS."""
PREFIX = "larp-pg-"


def socket_directory(preferred: Path, port: int, account: Account | None) -> Path:
    """Create a private directory for the socket that clients can address. Return its path.

    libpq splits hosts at commas and SQLAlchemy at colons, and neither supports quoting. If
    ``preferred`` contains one, or is too long, a temporary directory replaces it.
    """
    if _is_nameable(preferred, port):
        preferred.mkdir(mode=0o700, exist_ok=True)
        give(preferred, account)
        return preferred
    parent = Path(tempfile.gettempdir())
    hidden = account is not None and bool(blocking(parent, account))
    if hidden or not _is_nameable(parent / f"{PREFIX}12345678", port):
        parent = Path("/tmp")
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    give(directory, account)
    return directory


def clear(directory: Path, port: int) -> None:
    """Remove the socket that a server left behind, and its directory if that was temporary."""
    name = f".s.PGSQL.{port}"
    for leftover in (directory / name, directory / f"{name}.lock"):
        leftover.unlink(missing_ok=True)
    discard(directory)


def discard(directory: Path) -> None:
    """Remove ``directory`` if it is one of our temporary directories, and empty."""
    if directory.name.startswith(PREFIX):
        with suppress(OSError):
            directory.rmdir()


def quoted(directory: Path) -> str:
    """Quote ``directory`` for the list in ``unix_socket_directories``."""
    return '"' + str(directory).replace('"', '""') + '"'


def _is_nameable(directory: Path, port: int) -> bool:
    path = os.fsencode(directory / f".s.PGSQL.{port}")
    return len(path) <= LONGEST and not any(mark in path for mark in (b",", b":", b"\n"))
