"""Deadlines by SIGALRM and by a timer."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import pytest

from larp_cli.system.deadlines import Alarm, on_deadline


class TooLate(Exception):
    """The alarm rang."""


def be_late(_number: int, _frame: FrameType | None) -> None:
    """Raise where the main thread is."""
    raise TooLate


def test_an_alarm_interrupts_what_does_not_watch_the_clock() -> None:
    """A wait without an end is over when the alarm rings."""
    with pytest.raises(TooLate), Alarm() as alarm:
        alarm.ring(be_late, after=0.01)
        threading.Event().wait(60)


def test_an_alarm_rings_again() -> None:
    """Code that swallows the first exception gets another one."""
    rung = 0
    with pytest.raises(TooLate), Alarm() as alarm:
        alarm.ring(be_late, after=0.01, every=0.01)
        while True:
            try:
                threading.Event().wait(60)
            except TooLate:
                rung += 1
                if rung == 3:
                    raise

    assert rung == 3


def test_an_alarm_within_another_gives_it_back() -> None:
    """The deadline of a command goes on after a section of a report that had its own."""
    with Alarm() as outer:
        outer.ring(be_late, after=3600)
        before = signal.getsignal(signal.SIGALRM)
        with Alarm() as inner:
            inner.ring(be_late, after=60)
            assert signal.getsignal(signal.SIGALRM) is not before
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= 60

        assert signal.getsignal(signal.SIGALRM) is before
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 3000


def test_an_alarm_that_other_code_has_taken_over_is_left_to_it() -> None:
    """A signal that arrived meanwhile insists until the command ends."""
    with Alarm() as outer:
        with Alarm() as inner:
            inner.ring(be_late, after=60)
            outer.ring(be_late, after=3600)
            taken = signal.getsignal(signal.SIGALRM)

        assert signal.getsignal(signal.SIGALRM) is taken
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 3000


def test_another_thread_has_no_alarm() -> None:
    """Python runs signal handlers in the main thread alone."""
    timers = []

    def work() -> None:
        with Alarm() as alarm:
            alarm.ring(be_late, after=3600)
            timers.append(signal.getitimer(signal.ITIMER_REAL)[0])

    before = signal.getitimer(signal.ITIMER_REAL)[0]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)

    assert timers == [pytest.approx(before, abs=30)]


def test_the_action_runs_when_the_time_is_up() -> None:
    """It runs beside the block, which can see that it is late."""
    done = threading.Event()

    with on_deadline(0.01, done.set) as expired:
        assert done.wait(30)
        assert expired.is_set()


def test_the_action_does_not_run_after_a_block_in_time() -> None:
    """The end of the block stops the timer."""
    done = threading.Event()

    with on_deadline(0.05, done.set) as expired:
        pass

    assert not done.wait(0.2)
    assert not expired.is_set()


def test_the_block_ends_after_the_action() -> None:
    """What the action works on may be closed then."""
    done = []

    def act() -> None:
        time.sleep(0.05)
        done.append(True)

    with on_deadline(0, act) as expired:
        expired.wait(30)

    assert done == [True]
