"""Decide who may see details: requests with the token, and requests from this machine."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def may_see_details(request: Request, token: str | None) -> bool:
    """Return whether a request has the token or was made on this machine.

    A request that a proxy on this machine forwards is not local. Neither is a request for a
    foreign host name, which a page in a local browser can send (DNS rebinding).
    """
    if token and _has_token(request, token):
        return True
    headers = request.headers
    if any(name in headers for name in _FORWARDED) or "origin" in headers:
        return False
    return _is_local(request) and _host(headers.get("host", "localhost")) in _LOCAL_NAMES


def _has_token(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _is_local(request: Request) -> bool:
    server = request.scope.get("server")
    if server is not None and server[1] is None:  # a Unix socket, which is on this machine
        return True
    if request.client is None:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return (
        address.is_loopback
        or bool(getattr(address, "ipv4_mapped", None))
        and (address.ipv4_mapped.is_loopback)  # type: ignore[union-attr]
    )


def _host(header: str) -> str:
    """Return the host of a Host header without its port."""
    return header if header.endswith("]") else header.rpartition(":")[0] or header
