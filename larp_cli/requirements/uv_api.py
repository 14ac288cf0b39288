"""The undocumented part of uv that larp uses: its messages about why it failed.

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
_DENIED = re.compile(r"could not be queried due to .*?\((\d{3}) ", re.DOTALL)


def has_failed_to_fetch(output: str) -> bool:
    """Return whether uv could not fetch something."""
    return _UNREACHABLE.search(output) is not None


def find_unknown_package(output: str) -> str | None:
    """Find the package, or the version of a package, that the index lacks."""
    found = _MISSING.search(output)
    return (found[1] or found[2]).rstrip(",") if found else None


def find_conflict_sentence(output: str) -> str | None:
    """Find uv's sentence about requirements that contradict each other, on one line."""
    found = _UNSOLVED.search(output)
    return " ".join(found[1].split()) if found else None


def find_denied_status(output: str) -> str | None:
    """Find the HTTP status with which the index denied access."""
    found = _DENIED.search(output)
    return found[1] if found else None
