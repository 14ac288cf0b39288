"""The server's log file. Its size is limited, and a failed start shows its last lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from larp_cli.postgres.embedded.account import Account

LARGEST = 10 * 1024 * 1024
"""Bytes. The next start truncates a larger log."""
LINES = 8


class ServerLog:
    """The log at ``path``; ``began`` is the byte offset of this start's first line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        size = path.stat().st_size if path.exists() else 0
        self.began = 0 if size > LARGEST else size

    @contextmanager
    def opened(self, owner: Account | None) -> Iterator[int]:
        """Open the log for the server, as a descriptor that is closed after the block."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            if owner is not None:
                os.fchown(descriptor, owner.uid, owner.gid)
            if os.fstat(descriptor).st_size > LARGEST:
                os.ftruncate(descriptor, 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def tail(self) -> str:
        """Return the last lines of this start."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as log:
            log.seek(self.began)
            lines = log.read(LARGEST).decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-LINES:])
