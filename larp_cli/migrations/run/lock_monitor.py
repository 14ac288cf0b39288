"""Monitor the session that runs revisions: who blocks it, and the progress of index builds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg

from larp_cli.postgres.catalog import describe_sessions, find_blockers, read_index_progress
from larp_cli.postgres.connection import limit_answer
from larp_cli.results import Blocker

if TYPE_CHECKING:
    from larp_cli.observer import Observer

POLL_SECONDS = 0.5
LONGEST_SILENCE = 60.0
"""Seconds without an answer after which the server counts as dead."""


class LockMonitor:
    """Queries the state of one session every half second, on another connection.

    It uses the connection with the migration lock, which is idle otherwise. If that connection
    breaks, the monitor stops and the runner notices by itself. If the server does not answer at
    all, the monitor ends the runner's statement, which would otherwise wait forever.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        pid: int,
        observer: Observer,
        *,
        lock_timeout: float,
        give_up: Callable[[], None],
    ) -> None:
        """Store the session to monitor; ``give_up`` ends its statement from another thread."""
        self._connection = connection
        self._give_up = give_up
        self._pid = pid
        self._observer = observer
        # Find the blocking session before the lock timeout ends the wait.
        self._interval = min(POLL_SECONDS, lock_timeout / 3)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="larp-lock-monitor", daemon=True)
        self._reported = ""
        self.blockers: tuple[Blocker, ...] = ()
        """The sessions that last blocked it."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def forget(self) -> None:
        """Forget the blocking sessions, before another attempt."""
        self.blockers, self._reported = (), ""

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                with limit_answer(self._connection, LONGEST_SILENCE):
                    self._check()
            except psycopg.errors.ConnectionTimeout:
                self._observer.warning(f"no answer from the server for {LONGEST_SILENCE:g} s")
                self._give_up()
                return
            except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
                continue  # the server is busy but answers
            except psycopg.Error:
                return

    def _check(self) -> None:
        blockers = find_blockers(self._connection, self._pid)
        if blockers:
            self.blockers = blockers
            self._report(f"a lock held by {describe_sessions(blockers)}", waiting=True)
            return
        progress = read_index_progress(self._connection, self._pid)
        if progress is not None:
            self._report(progress, waiting=False)

    def _report(self, text: str, *, waiting: bool) -> None:
        if text == self._reported:
            return
        self._reported = text
        if waiting:
            self._observer.waiting(text)
        else:
            self._observer.progress(text)
