"""The three probe paths, answered before anything else.

Probes are most of the traffic, so they bypass the router. The response is written from the
monitor's last report, without waiting for anything but the network.
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
"""Source: draft-inadarei-api-health-check; caches must not store the response."""


class Probes:
    """ASGI middleware that answers the probes, and passes other requests on."""

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
    """Write a verdict as JSON: status, reason, time and age of the last check.

    No value needs escaping: a status, a reason of the list, a time and a number.
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
    """Write a time in UTC, as RFC 3339 describes."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
