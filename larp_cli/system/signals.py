"""Signal handlers for the length of a block."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

type Handler = Callable[[int, FrameType | None], Any]
"""What Python calls in the main thread when a signal arrives."""


def in_main_thread() -> bool:
    """Return whether this is the main thread, the only one that may set signal handlers."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def handlers(wanted: Mapping[int, Handler]) -> Iterator[None]:
    """Handle the signals with ``wanted`` until the block ends, then as before.

    Outside the main thread the block runs without them.
    """
    if not in_main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: the handler was installed by C code, which Python cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold back SIGINT, SIGTERM and SIGALRM until the block ends, then deliver them.

    Use it while a process starts, so that no signal leaves one without an owner. It swaps
    handlers rather than masking signals: a mask belongs to one thread, while Python runs
    handlers in the main thread, whichever thread was hit.
    """
    arrived: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    try:
        with handlers(dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGALRM), remember)):
            yield
    finally:
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)
