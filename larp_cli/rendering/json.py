"""Results for programs: one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from larp_cli.rendering.answer import SCHEMA_VERSION, Answer


def render(answer: Answer, *, redact: Callable[[str], str], colour: bool) -> str:
    """Write the envelope. It has the same fields on success and on failure."""
    keep = answer.result is not None and answer.result.verbatim
    error = answer.error
    document = {
        "schema_version": SCHEMA_VERSION,
        "command": answer.command,
        "exit_code": int(answer.exit_code),
        "changed": answer.changed,
        "result": encode(answer.result, str if keep else redact),
        "error": error
        and {
            "code": error.exit_code.name,
            "message": redact(error.message),
            "hint": error.hint and redact(error.hint),
        },
    }
    # ASCII, so that neither the locale nor a lone surrogate can break the document.
    return json.dumps(document, indent=2, allow_nan=False)


def encode(value: Any, redact: Callable[[str], str]) -> Any:
    """Convert a result to JSON values: durations to seconds, times to ISO 8601."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return encode(value.value, redact)
        case str():
            return redact(value)
        case datetime() | date():
            return value.isoformat()
        case Path():
            return redact(str(value))
        case Mapping():
            return {redact(str(key)): encode(item, redact) for key, item in value.items()}
        case tuple() | list():
            return [encode(item, redact) for item in value]
        case _ if is_dataclass(value):
            return {
                field.name: encode(getattr(value, field.name), redact) for field in fields(value)
            }
    raise TypeError(f"a result holds a {type(value).__name__}, which JSON cannot")
