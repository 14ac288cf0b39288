"""The monitor in the words of Prometheus.

Made anew for each scrape, on a registry of its own: nothing is counted here, and nothing
that is imported elsewhere can add to it.
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
    """Write what the monitor knows; None where prometheus-client is not installed.

    What nobody has looked at yet is absent. Only ``larp_up`` and ``larp_ready`` are there
    always, so that an alert on them has something to see.
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
        """Give every metric that has a value."""
        monitor, seen = self._monitor, self._monitor.seen
        yield _gauge(
            "larp_up",
            "Whether the database answers; also 0 if it has not been checked for too long.",
            [({}, monitor.database.status is not CheckStatus.FAIL)],
        )
        yield _gauge(
            "larp_ready",
            "Whether a service that uses the database is ready.",
            [({}, monitor.ready.status is not CheckStatus.FAIL)],
        )
        yield _gauge("larp_build_info", "The version of larp.", [({"version": __version__}, 1)])
        if seen is not None:
            yield _gauge(
                "larp_monitor_age_seconds", "Time since the last check ended.", [({}, monitor.age)]
            )
            yield from _last_look(seen.report, details=self._details)


def _last_look(report: HealthReport, *, details: bool) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "larp_check_status",
        "The status of each check: 1 for its status, 0 for the others.",
        [
            ({"check": check.name, "status": status.value}, check.status is status)
            for check in report.checks
            for status in CheckStatus
        ],
    )
    yield _gauge(
        "larp_check_duration_seconds",
        "Duration of each check.",
        [({"check": check.name}, check.seconds) for check in report.checks],
    )
    if report.pending is not None:
        yield _gauge(
            "larp_pending_revisions",
            "Number of pending revisions.",
            [({}, len(report.pending))],
        )
    if details and report.current:
        yield _gauge(
            "larp_revision_info",
            "The current revisions of the database.",
            [({"revision": revision}, 1) for revision in report.current],
        )


def _gauge(
    name: str, documentation: str, samples: Iterable[tuple[dict[str, str], float]]
) -> GaugeMetricFamily:
    """Make a gauge; every sample has the same labels."""
    from prometheus_client.core import GaugeMetricFamily

    samples = list(samples)
    labels = list(samples[0][0]) if samples else []
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for values, value in samples:
        family.add_metric([values[label] for label in labels], float(value))
    return family
