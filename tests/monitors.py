"""Monitors that have seen what a test wants them to have seen; no database is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from larp_cli.health.checks import NAMES
from larp_cli.health.http.options import ServeOptions
from larp_cli.health.monitor import Monitor
from larp_cli.health.target import HealthTarget
from larp_cli.migrations.graph import RevisionGraph
from larp_cli.postgres.url import normalise_url
from larp_cli.results.health import CheckResult, CheckStatus, HealthReport, Reason

HOST, USER, DATABASE, REVISION = "db.internal", "larp_app", "larp_prod", "0007_add_players"


def monitor(*reports: HealthReport, interval: float = 5.0, deadline: float = 3600.0) -> Monitor:
    """Make a monitor that never looks itself, and let it note these reports."""
    target = HealthTarget(
        url=normalise_url(f"postgresql://{USER}:sesame@{HOST}/{DATABASE}"),
        schema=None,
        version_table="alembic_version",
        graph=RevisionGraph({REVISION: ()}),
        ledger_schemas=(),
    )
    made = Monitor(target, interval=interval, deadline=deadline)
    note(made, *reports)
    return made


def note(made: Monitor, *reports: HealthReport) -> None:
    """Let a monitor have seen these reports, the last one last."""
    for report in reports:
        made._record(report)


def stalled(*reports: HealthReport) -> Monitor:
    """Make a monitor whose last look is older than it may ever be."""
    made = monitor(*reports)
    made._stale_after = -1.0
    return made


def check(name: str, **changes: Any) -> CheckResult:
    """Make a check that passes, but for the changes."""
    observed = {"database": f"{HOST} answers in 1.2 ms", "revision": f"at {REVISION}"}
    passing = CheckResult(
        name=name,
        status=CheckStatus.PASS,
        observed=observed.get(name, "as it should be"),
        seconds=0.0012,
    )
    return replace(passing, **changes)


def report(*different: CheckResult, **changes: Any) -> HealthReport:
    """Make a report in which all is well, but for these checks and changes."""
    changed = {result.name: result for result in different}
    checks = tuple(changed.get(name) or check(name) for name in NAMES)
    well = HealthReport(
        status=max((result.status for result in checks), key=list(CheckStatus).index),
        checked_at=datetime.now(UTC),
        seconds=0.01,
        checks=checks,
        current=(REVISION,),
        pending=(),
    )
    return replace(well, **changes)


def warned() -> HealthReport:
    """Report few connections left."""
    return report(
        check(
            "connections",
            status=CheckStatus.WARN,
            reason=Reason.CONNECTIONS_HIGH,
            observed="82 of 97 connections used (85%)",
            hint="raise max_connections, lower DATABASE_POOL_SIZE, or put a pooler between",
        )
    )


def behind() -> HealthReport:
    """Report two pending revisions."""
    revision = check(
        "revision",
        status=CheckStatus.FAIL,
        reason=Reason.SCHEMA_BEHIND,
        observed="2 revisions are pending",
        hint="larp db migrate",
    )
    return report(revision, pending=("0008_add_stories", "0009_add_places"))


def unanswered(**changes: Any) -> HealthReport:
    """Report a server that refuses connections, so that no other check could be made."""
    database = check(
        "database",
        status=CheckStatus.FAIL,
        reason=Reason.REFUSED,
        observed=f"connection to server at {HOST}, port 5432 was refused",
        seconds=0.0,
        hint="is PostgreSQL running there?",
    )
    given: dict[str, Any] = {
        "checks": (database, check("configuration")),
        "skipped": tuple(NAMES[1:-1]),
        "current": None,
        "pending": None,
        "status": CheckStatus.FAIL,
        **changes,
    }
    return report(**given)


def looks(seconds: Iterable[float | None], *, every: float = 5.0) -> list[HealthReport]:
    """Make a report for each latency, the last one now; None is no answer."""
    given = list(seconds)
    now = datetime.now(UTC)
    moments = [now - timedelta(seconds=every * left) for left in range(len(given) - 1, -1, -1)]
    return [
        (
            unanswered(checked_at=at)
            if latency is None
            else report(check("database", seconds=latency), checked_at=at)
        )
        for at, latency in zip(moments, given, strict=True)
    ]


def options(made: Monitor, **changes: Any) -> ServeOptions:
    """Say how to serve a monitor; of this only what the application reads matters."""
    served = ServeOptions(
        url="http://127.0.0.1:8000",
        target=made.target,
        interval=5.0,
        deadline=3.0,
        drain_seconds=0.0,
        lifetime=None,
        sockets=(),
        socket_file=None,
        embedded_home=None,
        embedded_lock=None,
        project_name="LARP Manager",
        api_prefix="/api/v1",
        cors_origins=(),
        details_token=None,
        log_level="INFO",
        log_format="console",
        secrets=(),
        public_names=(),
    )
    return replace(served, **changes)
