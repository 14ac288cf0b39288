"""The undocumented parts of pip and pip-tools that larp uses: an entry point and their messages.

pip reports why it failed only in English text. The contract is tested against the real programs in
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
"""pip-compile, reading its arguments from standard input as a JSON list.

Importing pip takes half of a short compilation, so larp starts the program ahead of time. pip
reports that the index denied access only in its debug log.
"""

# pip logs every retry with the number of retries left.
_LAST_ATTEMPT = re.compile(r"Retry\(total=0,")
_DENIED = re.compile(r"\b(401|403) (?:Client )?Error")
_CAUSED = re.compile(r"The conflict is caused by:\n((?:[ \t]+\S.*\n?)+)")
_DEPENDS = re.compile(r"(\S+ \S+) depends on (.+)")
_REQUESTED = re.compile(r"The user requested (\(constraint\) )?(.+)")
_MISSING = re.compile(r"No matching distribution found for (\S[^\n]*?)(?: \(from|\n|$)")
_OTHER_FILE = re.compile(r"DO NOT MATCH THE HASHES.*?\n\s+([\w.-]+)==(\S+)", re.DOTALL)
_SETTING = re.compile(r"([^=\s]+?)\s*=\s*(.*)")


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """One of several requirements that contradict each other."""

    requirement: str
    """Such as ``xray<2``, or the whole line if its format is unknown."""
    package: str | None = None
    """Name and version of the package that needs it, such as ``alpha 1.0``."""
    is_constraint: bool = False
    """Whether it comes from a file of constraints."""
    is_requested: bool = False
    """Whether the project itself requires it."""


def find_conflict_sides(output: str) -> tuple[ConflictSide, ...]:
    """Find the sides of a conflict; empty if the output reports none."""
    caused = _CAUSED.search(output)
    return tuple(_read_side(line.strip()) for line in caused[1].splitlines()) if caused else ()


def _read_side(line: str) -> ConflictSide:
    if found := _DEPENDS.fullmatch(line):
        return ConflictSide(found[2], package=found[1])
    if found := _REQUESTED.fullmatch(line):
        constraint = found[1] is not None
        return ConflictSide(found[2], is_constraint=constraint, is_requested=not constraint)
    return ConflictSide(line)


def has_too_many_versions(output: str) -> bool:
    """Return whether pip gave up because there are too many versions to try."""
    return "ResolutionTooDeep" in output


def find_unmatched_requirement(output: str) -> str | None:
    """Find the requirement that no file in the index satisfies."""
    found = _MISSING.search(output)
    return found[1] if found else None


def has_exhausted_retries(output: str) -> bool:
    """Return whether pip has used up its retries for the index."""
    return _LAST_ATTEMPT.search(output) is not None


def find_rejection_status(output: str) -> str | None:
    """Find the HTTP status with which the index denied access."""
    found = _DENIED.search(output)
    return found[1] if found else None


def find_replaced_file(output: str) -> tuple[str, str] | None:
    """Find name and version of a package whose file does not match the locked hash."""
    found = _OTHER_FILE.search(output)
    return (found[1], found[2]) if found else None


def read_settings(listed: str) -> Iterator[tuple[str, str]]:
    """Parse ``pip config list``: names such as ``global.index-url``, and values."""
    for line in listed.splitlines():
        if found := _SETTING.fullmatch(line):
            yield found[1], _unquote(found[2])


def _unquote(shown: str) -> str:
    try:
        return str(ast.literal_eval(shown))
    except (ValueError, SyntaxError):
        return shown
