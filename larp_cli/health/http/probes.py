"""The three paths that machines ask all the time, answered before anything else.

They are most of the traffic, so they go around the router: what is to be said is read from
the monitor and written into bytes, with nothing awaited but the sending.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from larp_cli.health.http.requests import (
    ALIVE,
    DATABASE,
    LARGEST_BODY,
    PATHS,
    RequestFacts,
    read_request,
)
from larp_cli.health.monitor import Monitor, Verdict
from larp_cli.results.health import CheckStatus

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("GET", "HEAD")

HEADERS = [(b"content-type", b"application/health+json"), (b"cache-control", b"no-store")]
"""Source: draft-inadarei-api-health-check; no cache may answer for us."""


class Probes:
    """An ASGI application that answers the probes itself, and leaves the rest to another."""

    def __init__(self, app: ASGIApp, monitor: Monitor, retry_after: int) -> None:
        self._app = app
        self._monitor = monitor
        self._retry_after = (b"retry-after", str(retry_after).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a probe, or pass the request on."""
        if scope["type"] == "http" and scope["method"] in METHODS and scope["path"] in PATHS:
            facts = read_request(scope)
            if facts.body_length <= LARGEST_BODY:
                await self._answer(scope["path"], facts, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, path: str, facts: RequestFacts, send: Send) -> None:
        status, body = 200, b'{"status":"pass"}'
        if path != ALIVE:
            verdict = self._monitor.database if path == DATABASE else self._monitor.ready
            status = 503 if verdict.status is CheckStatus.FAIL else 200
            body = format_verdict(self._monitor, verdict)
        headers = [
            *HEADERS,
            (b"content-length", b"%d" % len(body)),
            *facts.headers(draining=self._monitor.draining),
        ]
        if status != 200:
            headers.append(self._retry_after)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def format_verdict(monitor: Monitor, verdict: Verdict) -> bytes:
    """Write a verdict: status, reason, when the database was looked at, and how long ago.

    By hand, as all of it is words of ours: a status, a reason of the list, a time, a number.
    """
    seen = monitor.seen
    reason = f'"{verdict.reason.value}"' if verdict.reason else "null"
    at, age = "null", "null"
    if seen is not None:
        at = f'"{format_timestamp(seen.report.checked_at)}"'
        age = f"{monitor.age:.3f}"
    return (
        f'{{"status":"{verdict.status.value}","reason":{reason},'
        f'"checked_at":{at},"age_seconds":{age}}}'
    ).encode()


def format_timestamp(moment: datetime) -> str:
    """Write a time as RFC 3339 has it, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
