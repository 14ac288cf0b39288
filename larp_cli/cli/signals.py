"""SIGINT, SIGTERM and the deadline, as exceptions at the place where the work is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from larp_cli.system.deadlines import Alarm
from larp_cli.system.signals import Handler, handlers


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
"""Seconds after a signal, and then between two reminders. The reaction to it may hang as well:
psycopg waits without an end for the server to confirm that a statement is cancelled."""


class Signals:
    """What the signals of a command do."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self.held = False
        """Whether they do nothing: the work is over, and what it opened is being closed.

        A flag, as setting it cannot be interrupted; a call could be, before it has an effect.
        """

    def arrive(self, number: int, _frame: FrameType | None) -> None:
        """Raise where the work is, and again for as long as the command goes on."""

        def remind(_number: int, _frame: FrameType | None) -> None:
            if not self.held:
                raise _EXCEPTIONS[number]

        if not self.held:
            self._alarm.ring(remind, after=INSIST_AFTER, every=INSIST_EVERY)
            raise _EXCEPTIONS[number]


@contextmanager
def signals_as_exceptions(timeout: float | None) -> Iterator[Signals]:
    """Raise in the main thread on SIGINT and SIGTERM, and when ``timeout`` seconds are over."""
    with Alarm() as alarm:
        signals = Signals(alarm)
        wanted: dict[int, Handler] = {signal.SIGTERM: signals.arrive}
        # Where SIGINT is ignored, as by nohup or in the background of a script, it stays so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            wanted[signal.SIGINT] = signals.arrive
        if timeout is not None:
            alarm.ring(signals.arrive, after=timeout)
        with handlers(wanted):
            try:
                yield signals
            finally:
                signals.held = True
