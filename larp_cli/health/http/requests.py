"""Request ids, the access log, and the limit on request bodies."""

from __future__ import annotations

import logging
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from larp_cli.health.monitor import Monitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("larp.http")

ALIVE, DATABASE, READY = "/health", "/health/db", "/health/ready"
PATHS = frozenset({ALIVE, DATABASE, READY})

LARGEST_BODY = 65_536
"""Most bytes of a request body that are accepted. No path reads one."""

_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_CLOSE = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The facts in the request headers that affect the response."""

    request_id: bytes
    body_length: int
    """Bytes; 1 if the length is unknown."""

    def headers(self, *, draining: bool) -> list[tuple[bytes, bytes]]:
        """Return the headers that every response has.

        The connection closes after a request with a body, so that the rest of the body need not
        be read. While draining every connection closes, so that clients move to another server.
        """
        given = [(b"x-request-id", self.request_id)]
        return [*given, _CLOSE] if draining or self.body_length else given


def read_request(scope: Scope) -> RequestFacts:
    """Read the request's id, or generate one, and the length of its body."""
    request_id, length = b"", 0
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = value if _ID.fullmatch(value) else b""
        elif name == b"content-length":
            length = int(value) if value.isdigit() else 1
        elif name == b"transfer-encoding":
            length = max(length, 1)
    return RequestFacts(request_id or os.urandom(8).hex().encode(), length)


class Requests:
    """ASGI middleware: request ids, the limit of bodies, and the access log."""

    def __init__(self, app: ASGIApp, monitor: Monitor) -> None:
        self._app = app
        self._monitor = monitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        facts = read_request(scope)
        scope["state"]["request_id"] = facts.request_id.decode()
        extra = facts.headers(draining=self._monitor.draining)
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        if facts.body_length > LARGEST_BODY:
            await _reject_body(sending)
        else:
            await self._app(scope, receive, sending)
        _log_request(scope, status, time.monotonic() - began)


async def _reject_body(send: Send) -> None:
    body = b'{"type":"about:blank","title":"Content Too Large","status":413}'
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log the request, except for probes and scrapes."""
    if scope["path"] in PATHS or scope["path"] == "/metrics":
        return
    client = scope.get("client")
    log.info(
        "%s %s %d",
        scope["method"],
        scope["raw_path"].decode("ascii", "backslashreplace"),
        status,
        extra={
            "request_id": scope["state"]["request_id"],
            "client": client[0] if client else "unix",
            "milliseconds": round(seconds * 1000, 1),
        },
    )
