"""Holding signals back while a process is started, so that none is left without an owner."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold back SIGINT, SIGTERM and SIGALRM until the block ends, then deliver them.

    Handlers are exchanged rather than signals masked: a mask is a thread's own, while
    Python runs handlers in the main thread, whichever thread was hit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    previous = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)
