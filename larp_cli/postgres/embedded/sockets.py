"""The directory of the server's Unix socket: private, and short enough to have an address."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from larp_cli.postgres.embedded.account import Account, blocking, give

LONGEST = 103
"""Bytes that a socket's path may have on every system: 107 on Linux, 103 on macOS."""
PREFIX = "larp-pg-"


def socket_directory(preferred: Path, port: int, account: Account | None) -> Path:
    """Return a directory for the socket that clients can name; make it, for ``account`` alone.

    libpq takes a comma in a host for the end of the first host and knows no quoting,
    SQLAlchemy does the same with a colon. A directory with such a name, or too long a one,
    is replaced by one in the system's directory for temporary files.
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
    """Remove the socket a server left in ``directory``, and a directory that was temporary."""
    name = f".s.PGSQL.{port}"
    for leftover in (directory / name, directory / f"{name}.lock"):
        leftover.unlink(missing_ok=True)
    discard(directory)


def discard(directory: Path) -> None:
    """Remove ``directory`` if it is one of our temporary ones, and empty."""
    if directory.name.startswith(PREFIX):
        with suppress(OSError):
            directory.rmdir()


def quoted(directory: Path) -> str:
    """Quote ``directory`` for ``unix_socket_directories``, which is a list."""
    return '"' + str(directory).replace('"', '""') + '"'


def _is_nameable(directory: Path, port: int) -> bool:
    path = os.fsencode(directory / f".s.PGSQL.{port}")
    return len(path) <= LONGEST and not any(mark in path for mark in (b",", b":", b"\n"))
