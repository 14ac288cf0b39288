"""Asking a running server, light enough for a container's health check every few seconds."""

from __future__ import annotations

import json
import math
import socket
import time
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from larp_cli.errors import ExitCode, LarpError, UsageError
from larp_cli.results.health import CheckStatus, Reason, RemoteHealth

DEFAULT_PATH = "/health/ready"
LARGEST_ANSWER = 65_536
"""Bytes of an answer that are read."""


class HealthServerUnreachable(LarpError):
    """Nothing that speaks HTTP answered at the URL, or not in time."""

    exit_code = ExitCode.UNREACHABLE


class _UnixConnection(HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask_server(url: str, *, timeout: float) -> RemoteHealth:
    """Ask a server how it is; without a path in the URL, whether it is ready.

    Args:
        url: ``http://``, ``https://``, or ``unix:`` and the path of a socket.
        timeout: Seconds for each of connecting and answering.

    Raises:
        UsageError: The URL is none.
        HealthServerUnreachable: There was no answer.
    """
    began = time.monotonic()
    answer: Queue[tuple[int, bytes] | Exception] = Queue()
    asking = Thread(target=_ask, args=(url, timeout, answer), daemon=True)
    asking.start()
    try:
        # A server that sends a byte now and then never lets the socket's own timeout strike.
        got = answer.get(timeout=timeout)
    except Empty:
        got = TimeoutError()
    if isinstance(got, UnicodeError):
        raise _no_url(url) from got
    if isinstance(got, UsageError):
        raise got
    if isinstance(got, Exception):
        raise HealthServerUnreachable(
            f"no answer from {url}: {_reason(got)}",
            hint="see whether larp serve runs there, and on which port",
        ) from got
    status, body = got
    said = _parsed(body)
    return RemoteHealth(
        url=url,
        http_status=status,
        status=_status(said, status),
        reason=_reason_in(said),
        checked_at=_time_in(said),
        age_seconds=_number_in(said),
        seconds=time.monotonic() - began,
    )


def _ask(url: str, timeout: float, answer: Queue[tuple[int, bytes] | Exception]) -> None:
    try:
        connection, path = _open(url, timeout)
        try:
            connection.request("GET", path, headers={"accept": "application/health+json"})
            response = connection.getresponse()
            answer.put((response.status, response.read(LARGEST_ANSWER)))
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError, UsageError) as error:
        answer.put(error)


def _open(url: str, timeout: float) -> tuple[HTTPConnection, str]:
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:").removeprefix("//"), timeout), DEFAULT_PATH
    if not url.isprintable() or " " in url:
        raise _no_url(url)
    try:
        parts = urlsplit(url)
        kinds = {"http": HTTPConnection, "https": HTTPSConnection}
        connection = kinds[parts.scheme](parts.hostname or "", parts.port, timeout=timeout)
    except (KeyError, ValueError) as error:
        raise _no_url(url) from error
    if not parts.hostname:
        raise _no_url(url)
    path = parts.path if parts.path not in ("", "/") else DEFAULT_PATH
    return connection, f"{path}?{parts.query}" if parts.query else path


def _no_url(url: str) -> UsageError:
    return UsageError(
        f"{url!r} is not the URL of a server", hint="larp health --url http://HOST:PORT"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "it does not speak HTTP" if isinstance(error, HTTPException) else str(error)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _status(said: dict[str, Any], http_status: int) -> CheckStatus:
    """Believe the status line; the body only tells a warning from a pass."""
    if http_status != 200:
        return CheckStatus.FAIL
    return CheckStatus.WARN if said.get("status") == "warn" else CheckStatus.PASS


def _reason_in(said: dict[str, Any]) -> Reason | None:
    try:
        return Reason(said["reason"])
    except (KeyError, ValueError, TypeError):
        return None


def _time_in(said: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(said["checked_at"])
    except (KeyError, ValueError, TypeError):
        return None


def _number_in(said: dict[str, Any]) -> float | None:
    age = said.get("age_seconds")
    if not isinstance(age, int | float) or not math.isfinite(age):
        return None
    return float(age)
