"""Metrics in the text format of Prometheus.

Each scrape builds a new registry, so no other module can add metrics to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from larp_cli import __version__
from larp_cli.health.monitor import Monitor
from larp_cli.results.health import CheckStatus, HealthReport

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render_metrics(monitor: Monitor, *, details: bool) -> bytes | None:
    """Render the monitor's last report; None if prometheus-client is not installed.

    Metrics of checks that have not run yet are absent. ``larp_up`` and ``larp_ready`` are always
    present, so that alerts on them work.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError:
        return None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(monitor, details=details))
    return generate_latest(registry)


class _Collector:
    """Reads the monitor."""

    def __init__(self, monitor: Monitor, *, details: bool) -> None:
        self._monitor = monitor
        self._details = details

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric that has a value."""
        monitor, seen = self._monitor, self._monitor.seen
        yield _make_gauge(
            "larp_up",
            "Whether the database answers; also 0 if it has not been checked for too long.",
            [({}, monitor.database.status is not CheckStatus.FAIL)],
        )
        yield _make_gauge(
            "larp_ready",
            "Whether a service that uses the database is ready.",
            [({}, monitor.ready.status is not CheckStatus.FAIL)],
        )
        yield _make_gauge(
            "larp_build_info", "The version of larp.", [({"version": __version__}, 1)]
        )
        if seen is not None:
            yield _make_gauge(
                "larp_monitor_age_seconds", "Time since the last check ended.", [({}, monitor.age)]
            )
            yield from _collect_report(seen.report, details=self._details)


def _collect_report(report: HealthReport, *, details: bool) -> Iterator[GaugeMetricFamily]:
    yield _make_gauge(
        "larp_check_status",
        "The status of each check: 1 for its status, 0 for the others.",
        [
            ({"check": check.name, "status": status.value}, check.status is status)
            for check in report.checks
            for status in CheckStatus
        ],
    )
    yield _make_gauge(
        "larp_check_duration_seconds",
        "Duration of each check.",
        [({"check": check.name}, check.seconds) for check in report.checks],
    )
    if report.pending is not None:
        yield _make_gauge(
            "larp_pending_revisions",
            "Number of pending revisions.",
            [({}, len(report.pending))],
        )
    if details and report.current:
        yield _make_gauge(
            "larp_revision_info",
            "The current revisions of the database.",
            [({"revision": revision}, 1) for revision in report.current],
        )


def _make_gauge(
    name: str, documentation: str, samples: Iterable[tuple[dict[str, str], float]]
) -> GaugeMetricFamily:
    """Create a gauge; every sample has the same labels."""
    from prometheus_client.core import GaugeMetricFamily

    samples = list(samples)
    labels = list(samples[0][0]) if samples else []
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for values, value in samples:
        family.add_metric([values[label] for label in labels], float(value))
    return family
