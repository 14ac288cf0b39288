"""The monitor: what is read from it is what was last seen, and too old is a failure."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from larp_cli.health.inspector import Inspector
from larp_cli.health.monitor import Monitor, Verdict
from larp_cli.results import CheckStatus, HealthReport, Reason
from tests.databases import SCHEMA, query, until, value
from tests.health import own_target

PASSES = Verdict(CheckStatus.PASS)


@pytest.fixture
def monitors() -> Iterator[list[Monitor]]:
    """Whatever is put in is stopped."""
    made: list[Monitor] = []
    yield made
    for monitor in made:
        monitor.stop()


def started(monitors: list[Monitor], url: str, *, interval: float = 0.1) -> Monitor:
    """Start a monitor of a database of ours."""
    monitors.append(Monitor(own_target(url), interval=interval, deadline=2))
    monitors[-1].start()
    return monitors[-1]


def test_before_the_first_look_nothing_is_known(initialised: str) -> None:
    """No news is not good news."""
    monitor = Monitor(own_target(initialised), interval=1, deadline=1)

    assert monitor.seen is None
    assert monitor.database == monitor.ready == Verdict(CheckStatus.FAIL, Reason.NOT_CHECKED)


def test_it_sees_what_becomes_of_the_database(initialised: str, monitors: list[Monitor]) -> None:
    """Ready, ahead, and ready again, each with the moment since when."""
    monitor = started(monitors, initialised)
    until(lambda: monitor.ready == PASSES)
    since = monitor.since
    head = value(initialised, f"SELECT version_num FROM {SCHEMA}.alembic_version")
    query(initialised, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'newer'")
    until(lambda: monitor.ready == Verdict(CheckStatus.FAIL, Reason.SCHEMA_AHEAD))
    assert monitor.database == PASSES
    assert monitor.since > since
    query(initialised, f"UPDATE {SCHEMA}.alembic_version SET version_num = %s", head)
    until(lambda: monitor.ready == PASSES)

    assert len(monitor.samples) >= 3
    assert {sample.status for sample in monitor.samples} == {CheckStatus.PASS, CheckStatus.FAIL}


def test_a_warning_is_told_and_is_ready(initialised: str, monitors: list[Monitor]) -> None:
    """A failed last run takes nothing out of use."""
    query(
        initialised,
        f"INSERT INTO {SCHEMA}.larp_ledger (version_table, revision, direction, outcome,"
        " started_at, seconds, operator, host, larp_version)"
        f" VALUES ('{SCHEMA}.alembic_version', 'r2', 'up', 'failed', now(), 1, 'a', 'b', '0')",
    )
    monitor = started(monitors, initialised)

    until(lambda: monitor.ready == Verdict(CheckStatus.WARN, Reason.MIGRATION_FAILED))
    assert monitor.database == PASSES


def test_a_look_that_never_ends_is_a_stalled_monitor(
    initialised: str, monitors: list[Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the checks hang, the last report expires."""
    monitor = started(monitors, initialised)
    until(lambda: monitor.ready == PASSES)

    def hang(_inspector: Inspector, _names: object = ()) -> HealthReport:
        time.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(Inspector, "inspect", hang)
    monkeypatch.setattr(monitor, "_stale_after", 0.5)

    until(lambda: monitor.ready == Verdict(CheckStatus.FAIL, Reason.MONITOR_STALLED))
    assert monitor.database == Verdict(CheckStatus.FAIL, Reason.MONITOR_STALLED)


def test_draining_is_said_at_once_and_the_database_is_looked_at_on(
    initialised: str, monitors: list[Monitor]
) -> None:
    """The process ends, the database does not."""
    monitor = started(monitors, initialised)
    until(lambda: monitor.ready == PASSES)
    monitor.drain()

    assert monitor.ready == Verdict(CheckStatus.FAIL, Reason.DRAINING)
    assert monitor.database == PASSES


def test_a_stopped_monitor_leaves_no_session(initialised: str, monitors: list[Monitor]) -> None:
    """Its connection is closed with it."""
    monitor = started(monitors, initialised)
    until(lambda: monitor.ready == PASSES)
    monitor.stop()
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'larp-health'"
        " AND datname = current_database()"
    )

    until(lambda: value(initialised, sessions) == 0)
