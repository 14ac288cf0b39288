"""Explain results whose exit code is not 0: the message, and the hint that helps."""

from __future__ import annotations

from functools import singledispatch

from larp_cli import results
from larp_cli.hints import suggest_newer_code
from larp_cli.units import format_count

type Explanation = tuple[str, str | None]
"""A message and a hint."""


@singledispatch
def explain(result: results.Result) -> Explanation:
    """Write the message and hint of a result whose exit code is not 0.

    Raises:
        TypeError: The result's type has no explanation.
    """
    raise TypeError(f"no explanation of {type(result).__name__}")


@explain.register
def _(check: results.ConfigCheck) -> Explanation:
    verb = "is" if len(check.faults) == 1 else "are"
    lines = "".join(f"\n  {fault.name}: {fault.message}" for fault in check.faults)
    return (
        f"{format_count(len(check.faults), 'setting')} {verb} wrong:{lines}",
        "larp config template shows every setting with its meaning",
    )


@explain.register
def _(shell: results.ShellOutput) -> Explanation:
    return f"psql ended with {shell.status}", None


@explain.register
def _(report: results.HealthReport) -> Explanation:
    observed = "; ".join(check.observed for check in report.failed)
    hint = next((check.hint for check in report.failed if check.hint), None)
    return f"unhealthy: {observed}", hint


@explain.register
def _(health: results.RemoteHealth) -> Explanation:
    reason = health.reason.value if health.reason else f"HTTP {health.http_status}"
    hint = "larp health, on the machine where the server runs" if health.reason else None
    return f"unhealthy: {health.url} reports {reason}", hint


@explain.register
def _(plan: results.MigrationPlan) -> Explanation:
    rules = ", ".join(sorted({hazard.rule for hazard in plan.unwaived}))
    return (
        f"{format_count(len(plan.unwaived), 'hazard')} not waived: {rules}",
        "fix the revision, or accept the hazard in it:"
        f" # larp: allow {plan.unwaived[0].rule}: <reason>",
    )


@explain.register
def _(check: results.DatabaseCheck) -> Explanation:
    codes = ", ".join(dict.fromkeys(finding.code for finding in check.findings))
    return f"{format_count(len(check.findings), 'finding')}: {codes}", check.findings[0].hint


@explain.register
def _(status: results.MigrationStatus) -> Explanation:
    match status.state:
        case results.DatabaseState.NOT_INITIALISED:
            return "the database is not initialised", "larp db init"
        case results.DatabaseState.AHEAD:
            return (
                f"the database is ahead of this code: {', '.join(status.unknown)}",
                suggest_newer_code(status.unknown_runs),
            )
        case _:
            return f"pending: {format_count(len(status.pending), 'revision')}", "larp db migrate"


@explain.register
def _(checked: results.RequirementsChecked) -> Explanation:
    found = format_count(len(checked.findings), "finding")
    return f"{found}: {checked.findings[0].message}", "larp requirements update"
