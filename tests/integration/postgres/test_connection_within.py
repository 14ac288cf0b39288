"""Work that is left behind at its deadline: what it still brings is not kept."""

from __future__ import annotations

import signal
import threading

import psycopg
import pytest

from larp_cli.postgres.connection import within


def test_what_arrives_too_late_is_discarded() -> None:
    """The result of work that was left behind is given back to be closed."""
    release, discarded = threading.Event(), threading.Event()

    def work() -> str:
        release.wait(10)
        return "late"

    with pytest.raises(psycopg.errors.ConnectionTimeout):
        within(0.01, work, discard=lambda result: discarded.set())
    release.set()

    assert discarded.wait(10)


def test_what_a_signal_leaves_behind_is_discarded() -> None:
    """A connection that arrives after an interrupt is closed by nobody but us."""
    release, discarded = threading.Event(), threading.Event()

    def interrupt(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(InterruptedError):
            within(10, lambda: release.wait(10), discard=lambda result: discarded.set())
    finally:
        signal.signal(signal.SIGALRM, before)
    release.set()

    assert discarded.wait(10)
