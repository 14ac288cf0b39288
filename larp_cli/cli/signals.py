"""SIGINT, SIGTERM and the deadline, as exceptions at the place where the work is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class TerminationSignal(KeyboardInterrupt):
    """SIGTERM arrived.

    A KeyboardInterrupt, because that is what psycopg answers by cancelling the
    server's query, and what every library lets through.
    """


class DeadlineSignal(KeyboardInterrupt):
    """The time that ``--timeout`` grants is over."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise TerminationSignal


def _expire(_signal: int, _frame: FrameType | None) -> None:
    raise DeadlineSignal


@contextmanager
def signals_as_exceptions(timeout: float | None) -> Iterator[None]:
    """Raise in the main thread on SIGTERM, and when ``timeout`` seconds are over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {signal.SIGTERM: signal.signal(signal.SIGTERM, _terminate)}
    if timeout is not None:
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _expire)
        others_timer = signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        if timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        if timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, *others_timer)
