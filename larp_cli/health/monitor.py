"""Looking at the database at intervals, so that whoever asks reads what was last seen.

A thousand questions cost the database what one does, and a database that hangs never hangs
a question: nothing here waits for anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from larp_cli.health.checks import READY
from larp_cli.health.inspector import Inspector
from larp_cli.health.target import HealthTarget
from larp_cli.results.health import CheckStatus, HealthReport, Reason

log = logging.getLogger("larp.health")

HISTORY_SECONDS = 600.0
HISTORY_POINTS = 240
GRACE_SECONDS = 1.0
"""How much later than promised a look may come before the monitor counts as stalled."""

RETRY, RETRYING = 1.0, 60.0
"""Seconds between two looks after the database began to fail for one of these reasons, and
for how long: what has not passed by then is looked at as often as ever."""
PASSING = (
    Reason.CONNECTION_LOST, Reason.DNS, Reason.NOT_CHECKED, Reason.READ_ONLY, Reason.REFUSED,
    Reason.SHUTTING_DOWN, Reason.STARTING_UP, Reason.TIMEOUT, Reason.UNREACHABLE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """One word on the database, and why."""

    status: CheckStatus
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, for the chart."""

    at: datetime
    status: CheckStatus
    """Whether the database was ready."""
    seconds: float | None
    """How long it took to answer; None where it did not."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the monitor saw last, and when."""

    report: HealthReport
    monotonic: float
    """When the look ended, on the monotonic clock."""
    database: Verdict
    ready: Verdict


class Monitor:
    """Looks every ``interval`` seconds, each time within ``deadline`` seconds."""

    def __init__(self, target: HealthTarget, *, interval: float, deadline: float) -> None:
        self.target = target
        self._interval = interval
        self._longest = interval + deadline + max(GRACE_SECONDS, interval / 2)
        self._inspector = Inspector(target, deadline=deadline)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="larp-monitor", daemon=True)
        self._seen: Snapshot | None = None
        self._samples: deque[Sample] = deque(
            maxlen=max(2, min(HISTORY_POINTS, int(HISTORY_SECONDS / interval)))
        )
        self._draining = False
        self._since = datetime.now(UTC)
        self._last_ready = Verdict(CheckStatus.FAIL, Reason.NOT_CHECKED)
        self._started = self._changed = time.monotonic()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the looking, and close the connection unless a look hangs on it."""
        self._stop.set()
        self._thread.join(timeout=0.5)
        if not self._thread.is_alive():
            self._inspector.close()

    def drain(self) -> None:
        """Be ready no more: the process is about to end."""
        self._since = datetime.now(UTC)
        self._draining = True

    @property
    def draining(self) -> bool:
        """Whether the process is about to end."""
        return self._draining

    @property
    def seen(self) -> Snapshot | None:
        """What was seen last; None before the first look has ended."""
        return self._seen

    @property
    def since(self) -> datetime:
        """Since when `ready` has said what it says now."""
        if not self._draining and self.age > self._longest:
            return datetime.now(UTC) - timedelta(seconds=self.age - self._longest)
        return self._since

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The looks of the last minutes, oldest first."""
        return tuple(self._samples)

    @property
    def age(self) -> float:
        """Seconds since the last look ended, or since the start."""
        seen = self._seen
        return time.monotonic() - (seen.monotonic if seen else self._started)

    @property
    def database(self) -> Verdict:
        """Whether the database answers."""
        return self._unseen() or self._of().database

    @property
    def ready(self) -> Verdict:
        """Whether a service on the database may be used."""
        if self._draining:
            return Verdict(CheckStatus.FAIL, Reason.DRAINING)
        return self._unseen() or self._of().ready

    def _of(self) -> Snapshot:
        assert self._seen is not None
        return self._seen

    def _unseen(self) -> Verdict | None:
        """Say why what was seen last is worth nothing; None where it is worth something."""
        if self.age > self._longest:
            return Verdict(CheckStatus.FAIL, Reason.MONITOR_STALLED)
        if self._seen is None:
            return Verdict(CheckStatus.FAIL, Reason.NOT_CHECKED)
        return None

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self._note(self._inspector.inspect())
            except Exception:  # noqa: B902 - a monitor that ended would be noticed by nobody
                log.exception("a look failed in a way that it should not")
            due = max(due + self._pause, time.monotonic())
            self._stop.wait(due - time.monotonic())

    @property
    def _pause(self) -> float:
        """Seconds to the next look: what may pass by itself is to be seen when it does."""
        passing = self._last_ready.reason in PASSING
        recent = time.monotonic() - self._changed < RETRYING
        return min(self._interval, RETRY) if passing and recent else self._interval

    def _note(self, report: HealthReport) -> None:
        answered = report.check("database")
        seen = Snapshot(
            report=report,
            monotonic=time.monotonic(),
            database=_failing(report, ("database",)) or Verdict(CheckStatus.PASS),
            ready=_failing(report, READY) or _doubt(report),
        )
        if seen.ready != self._last_ready:
            if not self._draining:
                self._since = datetime.now(UTC)
            self._tell(seen.ready)
            self._last_ready = seen.ready
            self._changed = seen.monotonic
        self._seen = seen
        seconds = None
        if answered is not None and answered.status is CheckStatus.PASS:
            seconds = answered.seconds
        sample = Sample(report.checked_at, seen.ready.status, seconds)
        if not self._is_repetition(sample):
            self._samples.append(sample)

    def _is_repetition(self, sample: Sample) -> bool:
        """Tell a look that came early in an outage: the chart would show the end of it alone."""
        if not self._samples or sample.status is not CheckStatus.FAIL:
            return False
        last = self._samples[-1]
        age = (sample.at - last.at).total_seconds()
        return last.status is CheckStatus.FAIL and 0 <= age < self._interval * 0.9

    def _tell(self, ready: Verdict) -> None:
        if ready.status is CheckStatus.FAIL:
            log.warning("not ready: %s", ready.reason)
        elif ready.status is CheckStatus.WARN:
            log.warning("ready, with a warning: %s", ready.reason)
        else:
            log.info("ready")


def _failing(report: HealthReport, names: tuple[str, ...]) -> Verdict | None:
    """Say what the first of the named checks that fails says."""
    for name in names:
        check = report.check(name)
        if check is None:
            return Verdict(CheckStatus.FAIL, Reason.NOT_CHECKED)
        if check.status is CheckStatus.FAIL:
            return Verdict(CheckStatus.FAIL, check.reason)
    return None


def _doubt(report: HealthReport) -> Verdict:
    """Pass, with a warning where any other check does not."""
    for check in report.checks:
        if check.status is not CheckStatus.PASS:
            return Verdict(CheckStatus.WARN, check.reason)
    return Verdict(CheckStatus.PASS)
