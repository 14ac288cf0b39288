"""Run the health checks at intervals, and keep the last report.

Requests read the kept report: they add no load to the database and never wait for it.
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
"""How late a report may be before the monitor counts as stalled."""

RETRY, RETRY_PERIOD = 1.0, 60.0
"""Seconds between two runs after the database began to fail for a transient reason, and seconds
after which the usual interval applies again."""
TRANSIENT_REASONS = (
    Reason.CONNECTION_LOST, Reason.DNS, Reason.NOT_CHECKED, Reason.READ_ONLY, Reason.REFUSED,
    Reason.SHUTTING_DOWN, Reason.STARTING_UP, Reason.TIMEOUT, Reason.UNREACHABLE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status and its reason."""

    status: CheckStatus
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of the checks, for the chart."""

    at: datetime
    status: CheckStatus
    """Whether the database was ready."""
    seconds: float | None
    """Seconds that the database took to answer; None if it did not."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last report, and when it was made."""

    report: HealthReport
    monotonic: float
    """When the run ended, on the monotonic clock."""
    database: Verdict
    ready: Verdict


class Monitor:
    """Runs the checks every ``interval`` seconds, each time within ``deadline`` seconds."""

    def __init__(self, target: HealthTarget, *, interval: float, deadline: float) -> None:
        self.target = target
        self._interval = interval
        self._stale_after = interval + deadline + max(GRACE_SECONDS, interval / 2)
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
        """Start running the checks."""
        self._thread.start()

    def stop(self) -> None:
        """Stop running the checks, and close the connection unless a run hangs on it."""
        self._stop.set()
        self._thread.join(timeout=0.5)
        if not self._thread.is_alive():
            self._inspector.close()

    def drain(self) -> None:
        """Report not ready from now on: the process is about to end."""
        self._since = datetime.now(UTC)
        self._draining = True

    @property
    def draining(self) -> bool:
        """Whether the process is about to end."""
        return self._draining

    @property
    def seen(self) -> Snapshot | None:
        """The last report; None before the first run has ended."""
        return self._seen

    @property
    def since(self) -> datetime:
        """When `ready` last changed."""
        if not self._draining and self.age > self._stale_after:
            return datetime.now(UTC) - timedelta(seconds=self.age - self._stale_after)
        return self._since

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The runs of the last minutes, oldest first."""
        return tuple(self._samples)

    @property
    def age(self) -> float:
        """Seconds since the last run ended, or since the start."""
        seen = self._seen
        return time.monotonic() - (seen.monotonic if seen else self._started)

    @property
    def database(self) -> Verdict:
        """Whether the database answers."""
        return self._find_missing_reason() or self._require_snapshot().database

    @property
    def ready(self) -> Verdict:
        """Whether a service that uses the database is ready."""
        if self._draining:
            return Verdict(CheckStatus.FAIL, Reason.DRAINING)
        return self._find_missing_reason() or self._require_snapshot().ready

    def _require_snapshot(self) -> Snapshot:
        assert self._seen is not None
        return self._seen

    def _find_missing_reason(self) -> Verdict | None:
        """Return why there is no current report; None if there is one."""
        if self.age > self._stale_after:
            return Verdict(CheckStatus.FAIL, Reason.MONITOR_STALLED)
        if self._seen is None:
            return Verdict(CheckStatus.FAIL, Reason.NOT_CHECKED)
        return None

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self._record(self._inspector.inspect())
            except Exception:  # noqa: B902 - the monitor must go on
                log.exception("a run of the checks failed unexpectedly")
            due = max(due + self._pause, time.monotonic())
            self._stop.wait(due - time.monotonic())

    @property
    def _pause(self) -> float:
        """Seconds until the next run; shorter while a transient failure may pass."""
        transient = self._last_ready.reason in TRANSIENT_REASONS
        recent = time.monotonic() - self._changed < RETRY_PERIOD
        return min(self._interval, RETRY) if transient and recent else self._interval

    def _record(self, report: HealthReport) -> None:
        database_check = report.check("database")
        seen = Snapshot(
            report=report,
            monotonic=time.monotonic(),
            database=_find_failure(report, ("database",)) or Verdict(CheckStatus.PASS),
            ready=_find_failure(report, READY) or _find_warning(report),
        )
        if seen.ready != self._last_ready:
            if not self._draining:
                self._since = datetime.now(UTC)
            self._log_verdict(seen.ready)
            self._last_ready = seen.ready
            self._changed = seen.monotonic
        self._seen = seen
        seconds = None
        if database_check is not None and database_check.status is CheckStatus.PASS:
            seconds = database_check.seconds
        sample = Sample(report.checked_at, seen.ready.status, seconds)
        if not self._is_repetition(sample):
            self._samples.append(sample)

    def _is_repetition(self, sample: Sample) -> bool:
        """Return whether to leave a quick retry out, so that retries do not fill the chart."""
        if not self._samples or sample.status is not CheckStatus.FAIL:
            return False
        last = self._samples[-1]
        age = (sample.at - last.at).total_seconds()
        return last.status is CheckStatus.FAIL and 0 <= age < self._interval * 0.9

    def _log_verdict(self, ready: Verdict) -> None:
        if ready.status is CheckStatus.FAIL:
            log.warning("not ready: %s", ready.reason)
        elif ready.status is CheckStatus.WARN:
            log.warning("ready, with a warning: %s", ready.reason)
        else:
            log.info("ready")


def _find_failure(report: HealthReport, names: tuple[str, ...]) -> Verdict | None:
    """Return the verdict of the first named check that fails; None if all pass."""
    for name in names:
        check = report.check(name)
        if check is None:
            return Verdict(CheckStatus.FAIL, Reason.NOT_CHECKED)
        if check.status is CheckStatus.FAIL:
            return Verdict(CheckStatus.FAIL, check.reason)
    return None


def _find_warning(report: HealthReport) -> Verdict:
    """Return `pass`, or `warn` if any other check does not pass."""
    for check in report.checks:
        if check.status is not CheckStatus.PASS:
            return Verdict(CheckStatus.WARN, check.reason)
    return Verdict(CheckStatus.PASS)
