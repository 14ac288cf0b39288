"""The ASGI application: its paths, and the only place where errors become responses."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from larp_cli import __version__
from larp_cli.health.http import metrics, openapi, pages
from larp_cli.health.http.access import may_see_details
from larp_cli.health.http.probes import METHODS, Probes, format_timestamp
from larp_cli.health.http.requests import PATHS, Requests
from larp_cli.health.monitor import Monitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from larp_cli.health.http.options import ServeOptions

NO_STORE = {"cache-control": "no-store"}
HARMLESS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Site:
    """The endpoints, and what they share."""

    def __init__(self, monitor: Monitor, options: ServeOptions) -> None:
        self._monitor = monitor
        self._options = options
        self._document = openapi.load_document(options.project_name, options.api_prefix)

    def routes(self) -> list[Route]:
        """List the paths besides the probes, which `Probes` answers."""
        return [
            Route("/", self.status_page),
            Route("/docs", self.docs_page),
            Route("/openapi.json", self.openapi_document),
            Route("/metrics", self.metrics),
            Route(f"{self._options.api_prefix}/status", self.status),
            # Never reached with GET or HEAD: here for the answer to any other method.
            *(Route(path, _reject_method) for path in sorted(PATHS)),
        ]

    async def status(self, request: Request) -> Response:
        """Return every check to callers who may see details.

        The status code is 200 whatever the state, which is in the body; 401 without the token.
        """
        if not self._allows(request):
            raise HTTPException(
                401, "the details token is needed", headers={"www-authenticate": "Bearer"}
            )
        return _json(details(self._monitor))

    async def metrics(self, request: Request) -> Response:
        """Return the metrics for Prometheus; 404 if prometheus-client is not installed."""
        body = metrics.render_metrics(self._monitor, details=self._allows(request))
        if body is None:
            raise HTTPException(404, "metrics need prometheus-client")
        return Response(body, media_type=metrics.CONTENT_TYPE, headers=NO_STORE)

    async def openapi_document(self, _request: Request) -> Response:
        """Return the OpenAPI document."""
        return _json(self._document)

    async def status_page(self, request: Request) -> Response:
        """Return the status page."""
        page = pages.status_page(
            self._monitor,
            project=self._options.project_name,
            api_prefix=self._options.api_prefix,
            details=self._allows(request),
        )
        return _html(page)

    async def docs_page(self, _request: Request) -> Response:
        """Return the page that documents the API."""
        return _html(pages.docs_page(self._document))

    def _allows(self, request: Request) -> bool:
        return may_see_details(request, self._options.details_token)


def create_app(monitor: Monitor, options: ServeOptions) -> ASGIApp:
    """Create the application; its lifespan starts and stops the monitor."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        monitor.start()
        yield {}
        monitor.stop()

    site = Starlette(
        routes=Site(monitor, options).routes(),
        middleware=[Middleware(Requests, monitor=monitor)],
        exception_handlers={
            HTTPException: _render_problem,  # type: ignore[dict-item]
            Exception: _render_bug,
        },
        lifespan=lifespan,
    )
    site.router.redirect_slashes = False
    probes = Probes(site, monitor, retry_after=max(1, math.ceil(options.interval)))
    return _add_cors(probes, options.cors_origins) if options.cors_origins else probes


def _add_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=("authorization", "x-request-id"),
        expose_headers=("x-request-id", "retry-after"),
    )


def details(monitor: Monitor) -> dict[str, Any]:
    """Return the last report as JSON values: times in RFC 3339, durations in seconds."""
    ready, seen = monitor.ready, monitor.seen
    report = seen.report if seen is not None else None
    return {
        "status": ready.status.value,
        "reason": ready.reason.value if ready.reason else None,
        "since": format_timestamp(monitor.since),
        "version": __version__,
        "draining": monitor.draining,
        "checked_at": format_timestamp(report.checked_at) if report else None,
        "age_seconds": round(monitor.age, 3) if report else None,
        "revisions": list(report.current) if report and report.current is not None else None,
        "pending": list(report.pending) if report and report.pending is not None else None,
        "checks": [
            {
                "name": check.name,
                "status": check.status.value,
                "reason": check.reason.value if check.reason else None,
                "observed": check.observed,
                "seconds": round(check.seconds, 6),
                "hint": check.hint,
            }
            for check in (report.checks if report else ())
        ],
        "skipped": list(report.skipped) if report else [],
        "samples": [
            {
                "at": format_timestamp(sample.at),
                "status": sample.status.value,
                "seconds": sample.seconds and round(sample.seconds, 6),
            }
            for sample in monitor.samples
        ],
    }


def _json(content: Any, status: int = 200, media_type: str = "application/json") -> Response:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Response(text, status, NO_STORE, media_type)


def _html(page: pages.HtmlPage) -> Response:
    headers = NO_STORE | HARMLESS | {"content-security-policy": page.content_security_policy}
    return Response(page.html, headers=headers, media_type="text/html")


async def _reject_method(_request: Request) -> Response:
    raise HTTPException(404)


async def _render_problem(request: Request, error: HTTPException) -> Response:
    """Return the error as RFC 9457 describes, without repeating anything from the request."""
    response = _json(
        {
            "type": "about:blank",
            "title": error.detail,
            "status": error.status_code,
            "request_id": request.state.request_id,
        },
        error.status_code,
        "application/problem+json",
    )
    response.headers.update(error.headers or {})
    return response


async def _render_bug(request: Request, _error: Exception) -> Response:
    """Return 500 after a bug; uvicorn logs the traceback."""
    return await _render_problem(request, HTTPException(500))
