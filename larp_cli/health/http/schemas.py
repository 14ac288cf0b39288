"""The bodies of the answers, as JSON Schema has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from larp_cli.results.health import CheckStatus, Reason

Node = dict[str, Any]


def ref(name: str) -> Node:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(description: str, properties: Node, optional: Iterable[str] = ()) -> Node:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(items: Node, description: str) -> Node:
    return {"type": "array", "items": items, "description": description}


def _list_or_null(items: Node, description: str) -> Node:
    return {**_list(items, description), "type": ["array", "null"]}


def components() -> Node:
    """Describe every body that the server answers with."""
    return {
        "Status": {
            "type": "string",
            "enum": [status.value for status in CheckStatus],
            "description": "What a check comes to; `warn` is no reason to take a service away.",
        },
        "Reason": {
            "type": "string",
            "enum": [reason.value for reason in Reason],
            "description": "Why a check does not pass.",
        },
        "Alive": _object("The process is alive.", {"status": {"const": "pass"}}),
        "Answering": _verdict("The database answers.", {"const": "pass"}, {"type": "null"}),
        "Ready": _verdict(
            "The database is ready.", {"enum": ["pass", "warn"]}, _nullable(ref("Reason"))
        ),
        "Unavailable": _verdict(
            "The database does not answer, or is not ready.", {"const": "fail"}, ref("Reason")
        ),
        "Details": _details_schema(),
        "Check": _check_schema(),
        "Sample": _sample_schema(),
        "Problem": _problem_schema(),
    }


def _nullable(schema: Node) -> Node:
    return {"anyOf": [schema, {"type": "null"}]}


def _checked_at() -> Node:
    return {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When the database was last looked at, in UTC; null before the first look.",
    }


def _age() -> Node:
    return _number("Seconds since the last look ended; null before it.", null=True)


def _number(description: str, *, null: bool = False) -> Node:
    kind = ["number", "null"] if null else "number"
    return {"type": kind, "minimum": 0, "description": description}


def _moment(description: str) -> Node:
    return {"type": "string", "format": "date-time", "description": description}


def _verdict(description: str, status: Node, reason: Node) -> Node:
    return _object(
        description,
        {"status": status, "reason": reason, "checked_at": _checked_at(), "age_seconds": _age()},
    )


def _details_schema() -> Node:
    name = {"type": "string"}
    return _object(
        "All that is known.",
        {
            "status": ref("Status"),
            "reason": _nullable(ref("Reason")),
            "since": _moment("Since when the status and the reason are what they are, in UTC."),
            "version": {"type": "string", "description": "The version of larp."},
            "draining": {"type": "boolean", "description": "Whether the server is about to end."},
            "checked_at": _checked_at(),
            "age_seconds": _age(),
            "revisions": _list_or_null(
                name, "Revisions with which the database is stamped; null where not known."
            ),
            "pending": _list_or_null(
                name,
                "Revisions that the database does not have, oldest first; null where not known.",
            ),
            "checks": _list(ref("Check"), "The checks of the last look."),
            "skipped": _list(name, "Checks that the last look could not make."),
            "samples": _list(ref("Sample"), "The looks of the last minutes, oldest first."),
        },
    )


def _check_schema() -> Node:
    return _object(
        "What one check saw.",
        {
            "name": {"type": "string"},
            "status": ref("Status"),
            "reason": _nullable(ref("Reason")),
            "observed": {"type": "string", "description": "What it saw, with units."},
            "seconds": _number("How long it took."),
            "hint": {"type": ["string", "null"], "description": "What helps."},
        },
    )


def _sample_schema() -> Node:
    return _object(
        "One look.",
        {
            "at": _moment("When it was, in UTC."),
            "status": ref("Status"),
            "seconds": _number("How long the database took; null without an answer.", null=True),
        },
    )


def _problem_schema() -> Node:
    return _object(
        "Why there is no answer.",
        {
            "type": {"const": "about:blank"},
            "title": {"type": "string", "description": "What is wrong."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "request_id": {"type": "string", "description": "The id of the request in the logs."},
        },
        optional=("request_id",),
    )
