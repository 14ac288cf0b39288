"""Looking over a revision's shoulder: who blocks it, and how far an index build has come."""

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
"""Seconds that a question to the catalog may take before the server counts as dead."""


class Watch:
    """Asks the server about one session, every half second, on another connection.

    The connection is the one that holds the mutex, which has nothing else to do. It ends
    quietly when that connection does: the runner notices by itself. Where the server does not
    answer there at all it has stopped dead, and the runner would wait without an end.
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
        """Take who is watched; ``give_up`` ends the runner's waiting from another thread."""
        self._connection = connection
        self._give_up = give_up
        self._pid = pid
        self._observer = observer
        # Whoever blocks must be seen before the lock timeout ends the waiting.
        self._interval = min(POLL_SECONDS, lock_timeout / 3)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="larp-watch", daemon=True)
        self._told = ""
        self.blockers: tuple[Blocker, ...] = ()
        """Who was last seen to block the session."""

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
        """Forget who was seen: another attempt begins."""
        self.blockers, self._told = (), ""

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                with limit_answer(self._connection, LONGEST_SILENCE):
                    self._look()
            except psycopg.errors.ConnectionTimeout:
                self._observer.warning(f"no answer from the server for {LONGEST_SILENCE:g} s")
                self._give_up()
                return
            except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
                continue  # the server is busy, and answers
            except psycopg.Error:
                return

    def _look(self) -> None:
        blockers = find_blockers(self._connection, self._pid)
        if blockers:
            self.blockers = blockers
            self._tell(f"a lock held by {describe_sessions(blockers)}", waiting=True)
            return
        progress = read_index_progress(self._connection, self._pid)
        if progress is not None:
            self._tell(progress, waiting=False)

    def _tell(self, text: str, *, waiting: bool) -> None:
        if text == self._told:
            return
        self._told = text
        if waiting:
            self._observer.waiting(text)
        else:
            self._observer.progress(text)
