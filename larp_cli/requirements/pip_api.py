"""What larp uses of pip and pip-tools beyond their documentation: an entry point and their texts.

pip tells why it gave up in English alone. The contract is tested against the real programs in
``tests/integration/requirements/test_pip_api.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPILE_PROGRAM = """
import json, logging, sys
from piptools.scripts.compile import cli
index = logging.getLogger("pip._internal.index.collector")
index.setLevel(logging.DEBUG)
index.addFilter(lambda record: str(record.msg).startswith("Could not fetch URL"))
index.addHandler(logging.StreamHandler())
cli(json.loads(sys.stdin.readline()), prog_name="pip-compile")
"""
"""pip-compile that reads its arguments from standard input, as a JSON list.

Half of a short compilation is the import of pip, which can be done ahead. That the index refuses
a page, pip tells only its debug log.
"""

# pip names every attempt that it will repeat; only after the last one it gives up.
_LAST_ATTEMPT = re.compile(r"Retry\(total=0,")
_REFUSED = re.compile(r"\b(401|403) (?:Client )?Error")
_CAUSED = re.compile(r"The conflict is caused by:\n((?:[ \t]+\S.*\n?)+)")
_DEPENDS = re.compile(r"(\S+ \S+) depends on (.+)")
_REQUESTED = re.compile(r"The user requested (\(constraint\) )?(.+)")
_MISSING = re.compile(r"No matching distribution found for (\S[^\n]*?)(?: \(from|\n|$)")
_OTHER_FILE = re.compile(r"DO NOT MATCH THE HASHES.*?\n\s+([\w.-]+)==(\S+)", re.DOTALL)
_SETTING = re.compile(r"([^=\s]+?)\s*=\s*(.*)")


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """One of the requirements that cannot all be met."""

    requirement: str
    """Such as ``xray<2``; the whole line where it has a form that we do not know."""
    package: str | None = None
    """Name and version of the package that needs it, such as ``alpha 1.0``."""
    is_constraint: bool = False
    """Whether it stands in a file of constraints."""
    is_requested: bool = False
    """Whether the project itself asks for it."""


def find_conflict_sides(said: str) -> tuple[ConflictSide, ...]:
    """Find the sides of a conflict; there are none where it is not for a conflict."""
    caused = _CAUSED.search(said)
    return tuple(_read_side(line.strip()) for line in caused[1].splitlines()) if caused else ()


def _read_side(line: str) -> ConflictSide:
    if found := _DEPENDS.fullmatch(line):
        return ConflictSide(found[2], package=found[1])
    if found := _REQUESTED.fullmatch(line):
        constraint = found[1] is not None
        return ConflictSide(found[2], is_constraint=constraint, is_requested=not constraint)
    return ConflictSide(line)


def has_too_many_versions(said: str) -> bool:
    """Tell whether pip gave up because there are too many versions to try."""
    return "ResolutionTooDeep" in said


def find_unmatched_requirement(said: str) -> str | None:
    """Find the requirement that no file of the index meets."""
    found = _MISSING.search(said)
    return found[1] if found else None


def has_retried_in_vain(said: str) -> bool:
    """Tell whether pip has tried the index for the last time."""
    return _LAST_ATTEMPT.search(said) is not None


def find_refusal(said: str) -> str | None:
    """Find the HTTP status with which the index refused us."""
    found = _REFUSED.search(said)
    return found[1] if found else None


def find_replaced_file(said: str) -> tuple[str, str] | None:
    """Find name and version of a package whose file is not the one that a hash names."""
    found = _OTHER_FILE.search(said)
    return (found[1], found[2]) if found else None


def read_settings(listed: str) -> Iterator[tuple[str, str]]:
    """Read what ``pip config list`` writes: names such as ``global.index-url``, and values."""
    for line in listed.splitlines():
        if found := _SETTING.fullmatch(line):
            yield found[1], _unquote(found[2])


def _unquote(shown: str) -> str:
    try:
        return str(ast.literal_eval(shown))
    except (ValueError, SyntaxError):
        return shown
