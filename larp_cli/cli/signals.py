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


_EXCEPTIONS: dict[int, type[KeyboardInterrupt]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: TerminationSignal,
    signal.SIGALRM: DeadlineSignal,
}


INSIST_AFTER, INSIST_EVERY = 8.0, 2.0
"""Seconds after a signal, and then between two reminders. What is done about it may hang as
well: psycopg waits for the server to confirm a cancelled statement, without an end."""


class Signals:
    """What the signals of a command do."""

    def __init__(self) -> None:
        self.insisting = False
        self.held = False
        """Whether they do nothing: the work is over, and what it opened is being closed.

        A flag, as setting it cannot be interrupted; a call could be, before it has an effect.
        """

    def arrive(self, number: int, _frame: FrameType | None) -> None:
        """Raise where the work is."""
        if not self.held:
            self._insist(_EXCEPTIONS[number])
            raise _EXCEPTIONS[number]

    def _insist(self, kind: type[KeyboardInterrupt]) -> None:
        """Raise again, for as long as the command goes on."""

        def remind(_number: int, _frame: FrameType | None) -> None:
            if not self.held:
                raise kind

        self.insisting = True
        signal.signal(signal.SIGALRM, remind)
        signal.setitimer(signal.ITIMER_REAL, INSIST_AFTER, INSIST_EVERY)


@contextmanager
def signals_as_exceptions(timeout: float | None) -> Iterator[Signals]:
    """Raise in the main thread on SIGINT and SIGTERM, and when ``timeout`` seconds are over."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before: dict[int, Any] = {signal.SIGTERM: signal.signal(signal.SIGTERM, signals.arrive)}
    # Where it is ignored, as by nohup or in the background of a script, it stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signals.arrive)
    others_alarm = signal.getsignal(signal.SIGALRM)
    others_timer = signal.getitimer(signal.ITIMER_REAL)
    if timeout is not None:
        signal.signal(signal.SIGALRM, signals.arrive)
        signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield signals
    finally:
        signals.held = True
        for number, handler in before.items():
            signal.signal(number, handler)
        if timeout is not None or signals.insisting:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, others_alarm)
            signal.setitimer(signal.ITIMER_REAL, *others_timer)
