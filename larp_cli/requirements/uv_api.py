"""What larp uses of uv beyond its documentation: the texts in which it tells why it gave up.

The contract is tested against the real program in
``tests/integration/requirements/test_uv_api.py``.
"""

from __future__ import annotations

import re

_UNREACHABLE = re.compile(r"error sending request|Failed to fetch:")
_UNSOLVED = re.compile(r"No solution found.*?(?:cause:|╰─▶)(.*?)(?:\n\n|\nhint:|$)", re.DOTALL)
_MISSING = re.compile(
    r"[Bb]ecause (\S+) was not found in the (?:package registry|cache)|"
    r"[Bb]ecause there (?:is|are) no versions? of (\S+)"
)
_REFUSED = re.compile(r"could not be queried due to .*?\((\d{3}) ", re.DOTALL)


def has_failed_to_fetch(said: str) -> bool:
    """Tell whether uv could not fetch something."""
    return _UNREACHABLE.search(said) is not None


def find_unknown_package(said: str) -> str | None:
    """Find the package, or the version of one, that the index does not have."""
    found = _MISSING.search(said)
    return (found[1] or found[2]).rstrip(",") if found else None


def find_conflict_sentence(said: str) -> str | None:
    """Find uv's own sentence about requirements that cannot all be met, on one line."""
    found = _UNSOLVED.search(said)
    return " ".join(found[1].split()) if found else None


def find_denied_status(said: str) -> str | None:
    """Find the HTTP status with which the index denied access."""
    found = _REFUSED.search(said)
    return found[1] if found else None
