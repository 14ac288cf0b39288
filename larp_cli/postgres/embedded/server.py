"""The embedded server: all larp processes share it, and the last one stops it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from larp_cli.errors import CommandFailed, ConfigurationError, LarpError, Locked
from larp_cli.observer import Observer
from larp_cli.postgres.embedded.binaries import MAJOR, installation
from larp_cli.postgres.embedded.cluster import Cluster
from larp_cli.postgres.embedded.postmaster import Postmaster
from larp_cli.system.locks import LockHeld, SharedFileLock

LEAVE_SECONDS = 5.0
"""Seconds to wait for a process that starts or stops the server. It checks for users as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStatus:
    """The state of the embedded server."""

    running: bool
    kept: bool
    """Whether `larp db start` keeps it running until `larp db stop`."""
    data_directory: Path
    log_file: Path
    version: str | None
    """Major version of the data, such as "18"; None before it is created."""
    pid: int | None
    """Process id of a running server."""
    url: str | None
    """URL of the database `postgres` on a running server, without a password."""


class EmbeddedServer:
    """The embedded PostgreSQL in ``home``/embedded.

    Two file locks control it. A process holds ``control.lock`` exclusively while it starts or
    stops the server, and shares ``users.lock`` while it uses the server. A process that leaves
    and gets ``users.lock`` exclusively was the last user, and stops the server. The system
    releases locks when a process ends, so kill -9 leaves no wrong count: the next process finds
    the server, uses it, and stops it. ``timeout`` limits each wait, in seconds.
    """

    def __init__(self, home: Path, observer: Observer, *, timeout: float = 60) -> None:
        self._home = home.absolute()
        self._observer = observer
        self._timeout = timeout
        self._cluster = Cluster(self._home / "embedded", observer=observer, timeout=timeout)
        self._keep = self._cluster.directory / "keep"

    @contextmanager
    def lease(self) -> Iterator[Postmaster]:
        """Keep the server running while the block runs, and start it if needed.

        Raises:
            ExtraMissing: The wheel with PostgreSQL is not installed.
            ConfigurationError: ``home`` cannot be used.
            CommandFailed: The server did not start.
            Locked: Another process kept starting or stopping it.
        """
        with self._home_usable():
            self._cluster.prepare()
            users = self._lock("users.lock")
        try:
            with self._home_usable(), self._control():
                self._share(users)
                postmaster = self._ensure_started()
            yield postmaster
        finally:
            self._leave(users)

    def share_with_successor(self) -> int:
        """Share the lease with the process that replaces this one (``exec``).

        Returns the descriptor that holds the share. At its end, that process closes the
        descriptor and calls `leave`.
        """
        with self._home_usable():
            users = self._lock("users.lock")
            self._share(users)
        return users.inheritable()

    def leave(self) -> None:
        """Stop the server if no process uses it. Never starts it."""
        with self._home_usable():
            users = self._lock("users.lock")
            self._share(users)
        self._leave(users)

    def start(self) -> bool:
        """Start the server and keep it running until ``stop``; return whether that changed it.

        Raises:
            LarpError: As for ``lease``.
        """
        before = self.status()
        with self.lease(), self._home_usable():
            self._keep.touch(mode=0o600)
        return not (before.running and before.kept)

    def stop(self) -> bool:
        """Stop the server now, even if it is in use. Return False if none ran.

        Raises:
            LarpError: It did not stop, or ``home`` cannot be used.
        """
        with self._home_usable():
            if not self._cluster.directory.is_dir():
                return False
            with self._control():
                self._keep.unlink(missing_ok=True)
                return self._cluster.stop()

    def status(self) -> EmbeddedStatus:
        """Return the state of the server, without changing it or waiting."""
        with self._home_usable():
            postmaster = self._cluster.postmaster()
            return EmbeddedStatus(
                running=postmaster is not None,
                kept=self._keep.exists(),
                data_directory=self._cluster.data_directory,
                log_file=self._cluster.log_file,
                version=self._version(),
                pid=postmaster.pid if postmaster else None,
                url=postmaster.url() if postmaster else None,
            )

    def _ensure_started(self) -> Postmaster:
        cluster = self._cluster
        postmaster = cluster.postmaster()
        if postmaster is None:
            installation()  # fails before the note below if the wheel is missing
        version = self._version() or MAJOR
        self._observer.note(f"using the embedded PostgreSQL {version} in {self._home}")
        if postmaster is None:
            cluster.initialise()
            cluster.start()
            postmaster = cluster.postmaster()
        if postmaster is None:
            raise CommandFailed(
                f"the embedded PostgreSQL in {self._home} stopped right after its start",
                hint=f"see {cluster.log_file}",
            )
        return postmaster

    def _leave(self, users: SharedFileLock) -> None:
        """Stop the server if no other process uses it. A failure is only a warning."""
        with users:
            if not users.held or self._keep.exists():
                return
            try:
                with self._control(min(self._timeout, LEAVE_SECONDS)):
                    if users.try_exclude() and not self._keep.exists():
                        self._cluster.stop()
            except (LarpError, OSError) as error:
                self._observer.warning(f"could not stop the embedded PostgreSQL: {error}")

    @contextmanager
    def _control(self, seconds: float | None = None) -> Iterator[None]:
        deadline = time.monotonic() + (self._timeout if seconds is None else seconds)
        with self._lock("control.lock") as control:
            if not control.try_exclude():
                self._observer.waiting("another larp to start or stop the embedded PostgreSQL")
                with _explain_held_lock():
                    control.exclude(deadline)
            yield

    @contextmanager
    def _home_usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"LARP_HOME {self._home} cannot be used: {error.strerror or error}"
                + (f": {error.filename}" if error.filename else ""),
                hint="set LARP_HOME to a directory you can write",
            ) from error

    def _lock(self, name: str) -> SharedFileLock:
        account = self._cluster.account
        owner = None if account is None else (account.uid, account.gid)
        return SharedFileLock(self._cluster.directory / name, owner)

    def _share(self, users: SharedFileLock) -> None:
        with _explain_held_lock():
            users.share(time.monotonic() + self._timeout)

    def _version(self) -> str | None:
        try:
            return (self._cluster.data_directory / "PG_VERSION").read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None


@contextmanager
def _explain_held_lock() -> Iterator[None]:
    try:
        yield
    except LockHeld as error:
        raise Locked(
            f"another larp is busy with the embedded PostgreSQL: it holds {error.path}",
            hint=f"wait for it, or find the process: fuser {error.path}",
        ) from error
