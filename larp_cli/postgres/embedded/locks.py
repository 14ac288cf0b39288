"""File locks that vanish with their holder, even after kill -9."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from larp_cli.errors import Locked
from larp_cli.postgres.embedded.account import Account

POLL_SECONDS = 0.02


class FileLock:
    """An flock(2) on a file of its own, through a descriptor that no child inherits.

    It is not taken yet. The file is made for ``owner``, and opened until the block ends.
    """

    def __init__(self, path: Path, owner: Account | None = None) -> None:
        self.path = path
        self.held = False
        # O_NOFOLLOW: root works in a directory that belongs to an unprivileged account.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        if owner is not None:
            os.fchown(self._descriptor, owner.uid, owner.gid)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go of the lock; a second time changes nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        self.held = False

    def share(self, deadline: float) -> None:
        """Take the lock together with others, until ``deadline`` (``time.monotonic``).

        Raises:
            Locked: somebody kept it to themselves all the time.
        """
        self._take(fcntl.LOCK_SH, deadline)

    def exclude(self, deadline: float) -> None:
        """Take the lock alone, until ``deadline`` (``time.monotonic``).

        Raises:
            Locked: others kept it all the time.
        """
        self._take(fcntl.LOCK_EX, deadline)

    def try_exclude(self) -> bool:
        """Take the lock alone if nobody else has it now."""
        return self._try(fcntl.LOCK_EX)

    def inheritable(self) -> int:
        """Let the process that replaces this one keep the lock; returns its descriptor."""
        os.set_inheritable(self._descriptor, True)
        return self._descriptor

    def _take(self, operation: int, deadline: float) -> None:
        # Polled: a blocking flock has no timeout, and signals would not end it cleanly.
        while not self._try(operation):
            if time.monotonic() > deadline:
                raise Locked(
                    f"another larp is busy with the embedded PostgreSQL: it holds {self.path}",
                    hint=f"wait for it, or see who it is: fuser {self.path}",
                )
            time.sleep(POLL_SECONDS)

    def _try(self, operation: int) -> bool:
        try:
            fcntl.flock(self._descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.held = True
        return True
