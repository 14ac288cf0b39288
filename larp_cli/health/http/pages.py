"""The HTML pages. Each is self-contained and loads nothing.

Their Content-Security-Policy allows only the style and the script of this package, by hash, so
that text from a database or a user can never run.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from larp_cli import __version__
from larp_cli.health.http import reference
from larp_cli.health.http.chart import chart
from larp_cli.health.http.formatting import (
    REASONS,
    format_duration,
    format_sentence,
    format_time,
    text,
)
from larp_cli.health.monitor import Monitor, Verdict
from larp_cli.results.health import CheckResult, CheckStatus, HealthReport, Reason

_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; {script}"
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_WORDS = {
    CheckStatus.PASS: "Ready",
    CheckStatus.WARN: "Ready, with a warning",
    CheckStatus.FAIL: "Not ready",
}
_WELL = "The database answers, accepts writes, and has every migration."
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 24 24"><circle cx="8" cy="8" r="12"'
    ' fill="{colour}"/><path d="{path}" fill="none" stroke="#fff" stroke-width="3"'
    ' stroke-linecap="round"/></svg>'
)
_ICONS = {
    CheckStatus.PASS: _ICON.format(colour="#17703a", path="M3 8.5l3.5 3.5L13 4.5"),
    CheckStatus.WARN: _ICON.format(colour="#845400", path="M8 2.5v7M8 13v.1"),
    CheckStatus.FAIL: _ICON.format(colour="#b3261e", path="M3.5 3.5l9 9M12.5 3.5l-9 9"),
}
_MOST_NAMES = 5
"""Revisions that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A page and its Content-Security-Policy."""

    html: str
    content_security_policy: str


def status_page(monitor: Monitor, *, project: str, api_prefix: str, details: bool) -> HtmlPage:
    """Render the status page; the checks are on it only with ``details``."""
    verdict, seen = monitor.ready, monitor.seen
    report = seen.report if seen is not None else None
    style, script = _static("page.css"), _static("status.js")
    html = Template(_static("status.html")).substitute(
        title=f"{_WORDS[verdict.status]}: {text(project)}",
        project=text(project),
        version=text(__version__),
        icon="data:image/svg+xml," + quote(_ICONS[verdict.status]),
        style=style,
        script=script,
        state=_state(verdict),
        facts=_facts(monitor, verdict),
        details=_details(monitor, report) if details and report is not None else "",
        detailed="yes" if details else "no",
        access_hidden=" hidden" if details else "",
        json_link=_json_link(api_prefix) if details else "",
    )
    return HtmlPage(html, _policy(style, script))


def docs_page(document: dict[str, Any]) -> HtmlPage:
    """Render an OpenAPI document as a page."""
    style = _static("page.css")
    html = Template(_static("docs.html")).substitute(
        title=text(document["info"]["title"]),
        version=text(document["info"]["version"]),
        style=style,
        intro=reference.paragraphs(document["info"]["description"]),
        paths=reference.paths(document),
        schemas=reference.schemas(document),
    )
    return HtmlPage(html, _policy(style))


@cache
def _static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


@cache
def _policy(style: str, script: str | None = None) -> str:
    """Allow only this style and this script, and let the script contact only this server."""
    scripted = f"script-src '{_hash(script)}'; connect-src 'self'; " if script else ""
    return _POLICY.format(style=_hash(style), script=scripted)


def _hash(content: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _json_link(api_prefix: str) -> str:
    return f' <a href="{text(quote(api_prefix.strip("/")))}/status">Details as JSON</a>'


def _mark(status: CheckStatus) -> str:
    return f'<svg class="mark" aria-hidden="true"><use href="#mark-{status.value}"/></svg>'


def _state(verdict: Verdict) -> str:
    why = format_sentence(REASONS[verdict.reason]) if verdict.reason else _WELL
    return (
        f'<div class="state {verdict.status.value}">{_mark(verdict.status)}<div>'
        f'<p class="word">{_WORDS[verdict.status]}</p><p class="why">{why}</p></div></div>'
    )


def _facts(monitor: Monitor, verdict: Verdict) -> str:
    seen = monitor.seen
    facts: list[tuple[str, str]] = []
    if verdict.reason:
        facts.append(("Reason", f"<code>{verdict.reason.value}</code>"))
    # The monitor does not record when draining or stalling began.
    if verdict.reason not in (Reason.DRAINING, Reason.MONITOR_STALLED):
        since = monitor.since
        passed = (datetime.now(since.tzinfo) - since).total_seconds()
        facts.append(("Since", f"{format_time(since)}, for {format_duration(passed)}"))
    if seen is not None:
        checked = f"{format_time(seen.report.checked_at)}, {format_duration(monitor.age)} ago"
        facts.append(("Last check", checked))
    return _list(facts)


def _list(facts: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in facts) + "</dl>"


def _details(monitor: Monitor, report: HealthReport) -> str:
    drawing = chart(monitor.samples)
    facts = [
        ("Revision", _named(report.current, "none")),
        ("Pending", _named(report.pending, "none")),
        ("larp", text(__version__)),
    ]
    return (
        f"<h2>Schema</h2>{_list(facts)}"
        + (f"<h2>Response time</h2>{drawing}" if drawing else "")
        + f"<h2>Checks</h2>{_table(report.checks)}{_skipped(report.skipped)}"
    )


def _named(names: tuple[str, ...] | None, nothing: str) -> str:
    """List names; if there are many, only the first ones."""
    if names is None:
        return "unknown"
    if not names:
        return nothing
    shown = ", ".join(f"<code>{text(name)}</code>" for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    count = f"{len(names)}: " if len(names) > 1 else ""
    return f"{count}{shown}" + (f" and {more} more" if more > 0 else "")


def _table(checks: Sequence[CheckResult]) -> str:
    """Write the checks as a table. The ARIA roles keep it one where CSS shows blocks (phones)."""
    titles = "".join(
        f'<th role="columnheader" scope="col">{title}</th>'
        for title in ("Check", "Status", "Result", "Hint")
    )
    rows = "".join(_row(check) for check in checks)
    return (
        f'<table role="table"><thead role="rowgroup"><tr role="row">{titles}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table>'
    )


def _row(check: CheckResult) -> str:
    status = check.status.value
    return (
        f'<tr role="row"><th role="rowheader" scope="row">{text(check.name)}</th>'
        f'<td role="cell" class="status {status}">{_mark(check.status)} {status}</td>'
        f'<td role="cell" class="seen">{text(check.observed)}</td>'
        f'<td role="cell" class="hint">{text(check.hint or "")}</td></tr>'
    )


def _skipped(names: Sequence[str]) -> str:
    if not names:
        return ""
    skipped = ", ".join(text(name) for name in names)
    return f'<p class="soft">Skipped, because the database did not answer: {skipped}.</p>'
