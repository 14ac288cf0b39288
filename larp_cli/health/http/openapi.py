"""The description of the server in OpenAPI 3.1, for programs; ``/docs`` shows it to people."""

from __future__ import annotations

from larp_cli import __version__
from larp_cli.health.http import metrics, schemas
from larp_cli.health.http.requests import ALIVE, DATABASE, READY
from larp_cli.health.http.schemas import Node

HEALTH = "application/health+json"
PROBLEM = "application/problem+json"
"""Source: RFC 9457."""


def document(project_name: str, api_prefix: str) -> Node:
    """Describe every path of the server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{project_name}: health",
            "summary": "Whether the database is fit for use.",
            "description": (
                "The server looks at the database at intervals, and answers with what it saw last:"
                " asking often costs the database nothing, and no answer waits for it.\n\n"
                "Any method but GET and HEAD is answered with 405."
            ),
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "probes", "description": "What machines ask all the time."},
            {"name": "details", "description": "What people and tools want to know."},
            {"name": "documents", "description": "What this server can be asked."},
        ],
        "paths": {**_probes(), **_details(api_prefix), **_pages()},
        "components": {
            "schemas": schemas.components(),
            "headers": _headers(),
            "parameters": {"RequestID": _request_id()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The details token, which is set as HEALTH_DETAILS_TOKEN.",
                }
            },
        },
    }


def _probes() -> Node:
    return {
        ALIVE: _path(
            "Health",
            "Whether the process is alive",
            "probes",
            {"200": _health("The process answers. The database is not looked at.", "Alive")},
        ),
        DATABASE: _path(
            "DatabaseHealth",
            "Whether the database answers",
            "probes",
            {
                "200": _health("The database answered the last look.", "Answering"),
                "503": _unavailable(
                    "The database did not answer the last look, that look is too long ago, or"
                    " nobody has looked yet."
                ),
            },
        ),
        READY: _path(
            "Readiness",
            "Whether a service on the database may be used",
            "probes",
            {
                "200": _health(
                    "The database answers and is writable, and its schema is at the expected"
                    " head. Other checks may warn.",
                    "Ready",
                ),
                "503": _unavailable(
                    "One of these does not hold, the last look is too long ago, nobody has looked"
                    " yet, or the server is about to end."
                ),
            },
        ),
    }


def _details(api_prefix: str) -> Node:
    challenge = _CACHE | {"WWW-Authenticate": _header("Challenge")}
    return {
        f"{api_prefix}/status": _path(
            "Status",
            "Every check, and the looks of the last minutes",
            "details",
            {
                "200": _json("Whatever the state, which is in the body.", schemas.ref("Details")),
                "401": _problem(
                    "The details token is missing or wrong, and the request does not come from"
                    " this machine.",
                    challenge,
                ),
            },
            optional_token=True,
        ),
        "/metrics": _path(
            "Metrics",
            "The state in the text format of Prometheus",
            "details",
            {
                "200": _answer(
                    "Whatever the state. The revision is told only to those who may see details.",
                    metrics.CONTENT_TYPE,
                    {"type": "string"},
                ),
                "404": _problem("The server was installed without `prometheus-client`.", _CACHE),
            },
            optional_token=True,
        ),
    }


def _pages() -> Node:
    return {
        "/": _path(
            "StatusPage",
            "The state, for people",
            "details",
            {
                "200": _page(
                    "Whatever the state. The checks are shown only to those who may see details."
                )
            },
            optional_token=True,
        ),
        "/openapi.json": _path(
            "OpenAPI",
            "This document",
            "documents",
            {"200": _json("Always.", {"type": "object"})},
        ),
        "/docs": _path("Docs", "This document, for people", "documents", {"200": _page("Always.")}),
    }


def _path(
    name: str, summary: str, tag: str, answers: Node, *, optional_token: bool = False
) -> Node:
    """Describe a path that takes GET and HEAD."""
    too_large = _problem("The request has a body of more than 64 KiB; none is read here.", {})
    answers = {**answers, "413": too_large}
    told = "\n\n".join(f"{code}: {answer['description']}" for code, answer in answers.items())
    operation: Node = {"summary": summary, "description": told, "tags": [tag]}
    if optional_token:
        operation["security"] = [{}, {"bearer": []}]
    bodiless = {code: _without_body(answer) for code, answer in answers.items()}
    return {
        "parameters": [{"$ref": "#/components/parameters/RequestID"}],
        "get": {"operationId": f"get{name}", **operation, "responses": answers},
        "head": {"operationId": f"head{name}", **operation, "responses": bodiless},
    }


def _without_body(answer: Node) -> Node:
    return {name: value for name, value in answer.items() if name != "content"}


def _answer(description: str, media_type: str, schema: Node, headers: Node | None = None) -> Node:
    shared = {"X-Request-ID": _header("RequestID")}
    return {
        "description": description,
        "headers": shared | (_CACHE if headers is None else headers),
        "content": {media_type: {"schema": schema}},
    }


def _health(description: str, schema: str) -> Node:
    return _answer(description, HEALTH, schemas.ref(schema))


def _json(description: str, schema: Node) -> Node:
    return _answer(description, "application/json", schema)


def _page(description: str) -> Node:
    return _answer(description, "text/html; charset=utf-8", {"type": "string"})


def _unavailable(description: str) -> Node:
    headers = _CACHE | {"Retry-After": _header("RetryAfter")}
    return _answer(description, HEALTH, schemas.ref("Unavailable"), headers)


def _problem(description: str, headers: Node) -> Node:
    return _answer(description, PROBLEM, schemas.ref("Problem"), headers)


def _header(name: str) -> Node:
    return {"$ref": f"#/components/headers/{name}"}


_CACHE = {"Cache-Control": _header("CacheControl")}


def _headers() -> Node:
    return {
        "CacheControl": {
            "description": "No cache may answer for the server.",
            "required": True,
            "schema": {"const": "no-store"},
        },
        "RetryAfter": {
            "description": "Seconds until the server looks again.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        },
        "RequestID": {
            "description": "The id that the request brought, or one that the server made.",
            "required": True,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        },
        "Challenge": {
            "description": "How to ask with the token.",
            "required": True,
            "schema": {"const": "Bearer"},
        },
    }


def _request_id() -> Node:
    return {
        "name": "X-Request-ID",
        "in": "header",
        "description": (
            "An id for the logs: 1 to 128 letters, digits, dots, underscores and hyphens."
            " The server makes one of its own in place of any other."
        ),
        "schema": {"type": "string"},
    }
