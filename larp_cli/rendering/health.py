"""Describes the results of health checks."""

from __future__ import annotations

from larp_cli import results
from larp_cli.rendering.document import Facts, Line, Part, Table


def describe_health_report(report: results.HealthReport) -> list[Part]:
    """Describe every check: its status, what it found, and what to do."""
    rows = tuple(
        (
            check.status.value,
            check.name,
            check.observed,
            f"{check.seconds * 1000:.1f} ms",
            check.hint or "",
        )
        for check in report.checks
    )
    parts: list[Part] = [Table("", ("status", "check", "result", "time", "hint"), rows)]
    if report.skipped:
        parts.append(Line(f"not checked: {', '.join(report.skipped)}"))
    return parts


def describe_remote_health(answer: results.RemoteHealth) -> list[Part]:
    """Describe the answer of a server."""
    rows = [
        ("server", answer.url),
        ("status", f"{answer.status.value} (HTTP {answer.http_status})"),
    ]
    if answer.reason is not None:
        rows.append(("reason", answer.reason.value))
    if answer.age_seconds is not None:
        rows.append(("checked", f"{answer.age_seconds:.1f} s ago"))
    return [Facts(tuple(rows))]


def describe_serving(serving: results.Serving) -> list[Part]:
    """Describe where a server listens."""
    return [Line(f"serving on {serving.url}")]
