"""Convert column values to plain Python or to JSON-compatible values."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """Copy mutation-tracked lists and dictionaries, so that changing the copy changes no row."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def json_ready(value: Any) -> Any:
    """Convert a value for ``json.dumps``, without loss where JSON allows it.

    Times become ISO 8601, intervals seconds, bytes base64, and enums their values. Decimals
    become strings, because most readers parse a JSON number as a float. NaN and infinities
    become null.
    """
    match value:
        case None | bool() | int() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return json_ready(value.value)
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case uuid.UUID() | Decimal():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(json_ready(key)): json_ready(item) for key, item in value.items()}
        case Collection():
            return [json_ready(item) for item in value]
        case _:
            return str(value)
