"""Deadlines for work that does not watch the clock: SIGALRM, or a timer on another thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from larp_cli.system.signals import Handler, in_main_thread


class Alarm:
    """The alarm of this process (SIGALRM), which has only one, for the length of a block.

    The former handler and timer come back afterwards, unless other code has taken the alarm
    over in the meantime. Outside the main thread `ring` does nothing.
    """

    def __init__(self) -> None:
        self._handler: Handler | None = None
        self._is_over = False

    def __enter__(self) -> Alarm:
        self._former_handler = signal.getsignal(signal.SIGALRM)
        self._former_timer = signal.getitimer(signal.ITIMER_REAL)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_over = True
        if self._handler is not None and signal.getsignal(signal.SIGALRM) is self._handler:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._former_handler)
            signal.setitimer(signal.ITIMER_REAL, *self._former_timer)

    def ring(self, action: Handler, *, after: float, every: float = 0.0) -> None:
        """Call ``action`` after so many seconds, then every so many; 0 means only once."""
        if not in_main_thread():
            return

        def handle(number: int, frame: FrameType | None) -> None:
            if not self._is_over:
                action(number, frame)

        self._handler = handle
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, after, every)


@contextmanager
def on_deadline(seconds: float, action: Callable[[], object]) -> Iterator[threading.Event]:
    """Run ``action`` on another thread if the block takes longer than ``seconds``.

    Yields an event that is set when the time is up, before ``action`` runs.
    """
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        action()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()
