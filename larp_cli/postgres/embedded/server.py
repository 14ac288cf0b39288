"""The embedded server as larp uses it: shared by all processes, stopped by the last of them."""

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
"""For whoever starts or stops the server meanwhile: that one looks who uses it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStatus:
    """How the embedded server is doing."""

    running: bool
    kept: bool
    """`larp db start` keeps it up until `larp db stop`."""
    data_directory: Path
    log_file: Path
    version: str | None
    """Major version of the data, such as "18"; None before it is made."""
    pid: int | None
    """Process id of a running server."""
    url: str | None
    """URL of the database `postgres` on a running server; it holds no password."""


class EmbeddedServer:
    """The embedded PostgreSQL in ``home``/embedded.

    Two locks order its life. ``control.lock`` is held alone while somebody starts or
    stops the server; ``users.lock`` is held by all who use it. Who leaves and can have
    the second one alone was the last, and stops the server. Locks end with their
    process, so a kill -9 leaves no count that is wrong: the next one finds the server,
    uses it, and stops it. ``timeout`` (seconds) bounds each wait.
    """

    def __init__(self, home: Path, observer: Observer, *, timeout: float = 60) -> None:
        self._home = home.absolute()
        self._observer = observer
        self._timeout = timeout
        self._cluster = Cluster(self._home / "embedded", observer=observer, timeout=timeout)
        self._keep = self._cluster.directory / "keep"

    @contextmanager
    def lease(self) -> Iterator[Postmaster]:
        """Hold the server, started if need be, while the block runs.

        Raises:
            ExtraMissing: the wheel with PostgreSQL is not installed.
            ConfigurationError: ``home`` cannot be used.
            CommandFailed: the server did not start.
            Locked: another larp was starting or stopping it all the time.
        """
        with self._home_usable():
            self._cluster.prepare()
            users = self._lock("users.lock")
        try:
            with self._home_usable(), self._control():
                self._share(users)
                postmaster = self._started()
            yield postmaster
        finally:
            self._leave(users)

    def share_with_successor(self) -> int:
        """Take another share of the lease, for the process that replaces this one.

        Returns the descriptor that holds it. When that process ends it closes the
        descriptor, and calls `leave`.
        """
        with self._home_usable():
            users = self._lock("users.lock")
            self._share(users)
        return users.inheritable()

    def leave(self) -> None:
        """Stop the server if nobody uses it; starts nothing."""
        with self._home_usable():
            users = self._lock("users.lock")
            self._share(users)
        self._leave(users)

    def start(self) -> bool:
        """Start the server and keep it until ``stop``; False if it was so already.

        Raises:
            LarpError: as ``lease`` does.
        """
        before = self.status()
        with self.lease(), self._home_usable():
            self._keep.touch(mode=0o600)
        return not (before.running and before.kept)

    def stop(self) -> bool:
        """Stop the server now, whoever uses it, and keep it no more; False if none ran.

        Raises:
            LarpError: it did not stop, or ``home`` cannot be used.
        """
        with self._home_usable():
            if not self._cluster.directory.is_dir():
                return False
            with self._control():
                self._keep.unlink(missing_ok=True)
                return self._cluster.stop()

    def status(self) -> EmbeddedStatus:
        """Tell how the server is doing; changes nothing and waits for nobody."""
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

    def _started(self) -> Postmaster:
        cluster = self._cluster
        postmaster = cluster.postmaster()
        if postmaster is None:
            installation()  # first: without it there is nothing to announce
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
        """Stop the server if nobody else uses it; what fails must not hide the block's error."""
        with users:
            if not users.held or self._keep.exists():
                return
            try:
                with self._control(min(self._timeout, LEAVE_SECONDS)):
                    if users.try_exclude() and not self._keep.exists():
                        self._cluster.stop()
            except (LarpError, OSError) as error:
                self._observer.warning(f"the embedded PostgreSQL was left as it is: {error}")

    @contextmanager
    def _control(self, seconds: float | None = None) -> Iterator[None]:
        deadline = time.monotonic() + (self._timeout if seconds is None else seconds)
        with self._lock("control.lock") as control:
            if not control.try_exclude():
                self._observer.waiting("another larp starts or stops the embedded PostgreSQL")
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
