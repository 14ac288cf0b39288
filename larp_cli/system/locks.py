"""Locks between processes that vanish with their holder, even after kill -9.

For a lock that one process holds alone, the library ``filelock`` is enough. This one can also
be shared, belong to another account, and be handed to the process that replaces this one.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

POLL_SECONDS = 0.02


class LockHeld(TimeoutError):
    """Another process held the lock until the deadline."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another process holds {path}")
        self.path = path


class SharedFileLock:
    """An flock(2) on the file ``path``, through a descriptor that no child inherits.

    The file is created and opened at once; nothing is locked yet. ``owner`` is the user and
    group id that a root process creates it for.
    """

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        self.path = path
        self.held = False
        # O_NOFOLLOW: root works in a directory that belongs to an unprivileged account.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        if owner is not None:
            os.fchown(self._descriptor, *owner)

    def __enter__(self) -> SharedFileLock:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the lock and close the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        self.held = False

    def share(self, deadline: float) -> None:
        """Take the lock together with others, until ``deadline`` (``time.monotonic``).

        Raises:
            LockHeld: Another process held it alone all the time.
        """
        self._take(fcntl.LOCK_SH, deadline)

    def exclude(self, deadline: float) -> None:
        """Take the lock alone, until ``deadline`` (``time.monotonic``).

        Raises:
            LockHeld: Other processes held it all the time.
        """
        self._take(fcntl.LOCK_EX, deadline)

    def try_exclude(self) -> bool:
        """Take the lock alone if no other process has it now."""
        return self._try(fcntl.LOCK_EX)

    def inheritable(self) -> int:
        """Let the process that replaces this one keep the lock; returns the descriptor."""
        os.set_inheritable(self._descriptor, True)
        return self._descriptor

    def _take(self, operation: int, deadline: float) -> None:
        # Polled: a blocking flock has no timeout, and signals would not end it cleanly.
        while not self._try(operation):
            if time.monotonic() > deadline:
                raise LockHeld(self.path)
            time.sleep(POLL_SECONDS)

    def _try(self, operation: int) -> bool:
        try:
            fcntl.flock(self._descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.held = True
        return True
