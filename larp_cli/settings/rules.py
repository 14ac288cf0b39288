"""Rules for values, beyond their type. Each function returns the fault, or None if there is none.

No message repeats the value: half of the settings are secrets, and pasting one into the wrong
variable is a common slip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

URL_SCHEMES = (
    "postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg",
)  # fmt: skip
SECRET_KEY_LENGTH = 32
"""Fewest characters of a SECRET_KEY: an HS256 key below 256 bits weakens it (RFC 7518, 3.2)."""

# A random key has more distinct characters than a word repeated until it is long enough.
_FEWEST_DISTINCT = 8
_PLACEHOLDERS = (
    "changeme",
    "changethis",
    "example",
    "insecure",
    "keyhere",
    "mysecret",
    "placeholder",
    "replaceme",
    "secretkey",
    "yoursecret",
)
_IDENTIFIER = re.compile(r"[^\W\d][\w$]*")
_IDENTIFIER_BYTES = 63
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")


def find_database_url_fault(url: str) -> str | None:
    """Check the scheme; `larp_cli.postgres.url` checks the rest."""
    scheme, separator, _ = url.partition("://")
    if separator and scheme.lower() in URL_SCHEMES:
        return None
    return "must start with " + ", ".join(f"{scheme}://" for scheme in URL_SCHEMES)


def find_database_schema_fault(name: str) -> str | None:
    """Check that PostgreSQL accepts the name for a new schema.

    See the PostgreSQL manual, 4.1.1 Identifiers and Key Words, and CREATE SCHEMA.
    """
    if not _IDENTIFIER.fullmatch(name) or len(name.encode()) > _IDENTIFIER_BYTES:
        return (
            "must be a PostgreSQL identifier: a letter or underscore, then letters, digits, "
            f"underscores or $, at most {_IDENTIFIER_BYTES} bytes"
        )
    if name.lower().startswith("pg_") or name.lower() == "information_schema":
        return "must not be a schema of PostgreSQL itself (pg_…, information_schema)"
    return None


def find_api_prefix_fault(prefix: str) -> str | None:
    """Check that ``/status`` can follow the prefix."""
    if _PREFIX.fullmatch(prefix):
        return None
    return "must be a path like /api/v1: it starts with / and does not end with one"


def find_host_fault(host: str) -> str | None:
    """Check that the host is not empty, not a URL, and has no port."""
    if re.fullmatch(r"[^\s/:\[\]]+|(?:[0-9a-fA-F.]*:){2}[0-9a-fA-F:.]*(?:%\w+)?", host):
        return None
    return "must be a host name or an IP address, without a port"


def find_origins_fault(origins: Sequence[str], *, production: bool) -> str | None:
    """Find an entry that no browser sends as its Origin header (RFC 6454, 6.1)."""
    for position, origin in enumerate(origins, start=1):
        if origin == "*":
            if production:
                return "must list the origins in production; * would admit every web site"
        elif not _is_origin(origin):
            return (
                f"entry {position} must be an origin like https://larp.example or "
                "http://localhost:3000, with no path and no trailing /"
            )
    return None


def _is_origin(origin: str) -> bool:
    if not _ORIGIN.fullmatch(origin):
        return False
    try:
        return (urlsplit(origin).port or 0) >= 0
    except ValueError:
        return False


def find_token_fault(token: str) -> str | None:
    """Check that the token is not empty."""
    return None if token.strip() else "must not be empty; make one with `larp config secret`"


def find_secret_key_fault(key: str) -> str | None:
    """Check that the key is hard to guess."""
    if len(key) < SECRET_KEY_LENGTH:
        return (
            f"must have at least {SECRET_KEY_LENGTH} characters in production; "
            "make one with `larp config secret`"
        )
    letters = re.sub(r"[\W_]", "", key.lower())
    repeated = key in (key + key)[1:-1]
    if repeated or len(set(key)) < _FEWEST_DISTINCT or any(w in letters for w in _PLACEHOLDERS):
        return "is a placeholder, refused in production; make one with `larp config secret`"
    return None
