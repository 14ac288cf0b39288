"""Why a resolver gave up, in a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from packaging.utils import canonicalize_name

LOOSEN = "loosen one of these in pyproject.toml"
NETWORK = "check the network, and: pip config list"


class FailureKind(StrEnum):
    """What sort of failure it is: what may help depends on it."""

    CONFLICT = "conflict"
    MISSING = "missing"
    """A package, or a version of it, that the index does not have."""
    INDEX = "index"
    """The index cannot be reached, or refuses us."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure, explained."""

    kind: FailureKind
    message: str
    hint: str | None
    names: frozenset[str] = frozenset()
    """The packages that it is about, as PEP 503 has them."""


_CAUSED = re.compile(r"The conflict is caused by:\n((?:[ \t]+\S.*\n?)+)")
# pip tells of every attempt that it will repeat; only after the last one it gives up.
_UNREACHABLE = re.compile(r"Retry\(total=0,|error sending request|Failed to fetch:")
_REFUSED = re.compile(r"\b(401|403) (?:Client )?Error")
_MISSING = re.compile(
    r"No matching distribution found for (\S[^\n]*?)(?: \(from|\n|$)|"
    r"[Bb]ecause (\S+) was not found in the (?:package registry|cache)|"
    r"[Bb]ecause there (?:is|are) no versions? of (\S+)"
)
_UNSOLVED = re.compile(r"No solution found.*?(?:cause:|╰─▶)(.*?)(?:\n\n|\nhint:|$)", re.DOTALL)
_OTHER_FILE = re.compile(r"DO NOT MATCH THE HASHES.*?\n\s+([\w.-]+)==(\S+)", re.DOTALL)
_FULL = re.compile(r"No space left on device|File too large|Disk quota exceeded")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def explain_failure(said: str, constrained_by: str | None = None) -> Failure:
    """Find out from what a resolver wrote why it gave up, and what to do.

    Args:
        said: All that it wrote.
        constrained_by: The file whose pins it had to meet.
    """
    if _UNREACHABLE.search(said):
        return Failure(FailureKind.INDEX, "the package index cannot be reached", NETWORK)
    refused = _REFUSED.search(said)
    if refused:
        return Failure(FailureKind.INDEX, f"the package index refuses us ({refused[1]})", NETWORK)
    replaced = _OTHER_FILE.search(said)
    if replaced:  # never mended by itself: this is what hashes are for
        told = f"the index has another {replaced[1]} {replaced[2]} than the one that is locked"
        hint = f"if you trust it: larp requirements update --upgrade-package {replaced[1]}"
        return Failure(FailureKind.OTHER, told, hint)
    return _conflict(said, constrained_by) or _missing(said) or _other(said)


def _conflict(said: str, constrained_by: str | None) -> Failure | None:
    caused = _CAUSED.search(said)
    if caused:
        lines = [line.strip() for line in caused[1].splitlines()]
        told = "; ".join(dict.fromkeys(_needs(line, constrained_by) for line in lines))
        names = frozenset(name for line in lines for name in _names(line))
        return Failure(FailureKind.CONFLICT, told, LOOSEN, names)
    if "ResolutionTooDeep" in said:
        told = "there are too many versions to try"
        return Failure(FailureKind.CONFLICT, told, "say more exactly in pyproject.toml what fits")
    unsolved = _UNSOLVED.search(said)
    if unsolved and not _MISSING.search(said):
        return Failure(FailureKind.CONFLICT, " ".join(unsolved[1].split()), LOOSEN)
    return None


def _missing(said: str) -> Failure | None:
    found = _MISSING.search(said)
    if not found:
        return None
    wanted = (found[1] or found[2] or found[3]).rstrip(",")
    name = _NAME.match(wanted)
    return Failure(
        FailureKind.MISSING,
        f"the index has no {wanted}",
        "correct the name or the version in pyproject.toml",
        frozenset({canonicalize_name(name[0])} if name else ()),
    )


def _other(said: str) -> Failure:
    if _FULL.search(said):
        hint = "make room, then: larp requirements update"
        return Failure(FailureKind.OTHER, "the disk is full", hint)
    last = [line.strip() for line in said.splitlines() if line.strip()]
    told = last[-1] if last else "the resolver said nothing"
    return Failure(FailureKind.OTHER, told, "larp requirements update --debug shows all it wrote")


def _needs(line: str, constrained_by: str | None) -> str:
    """Turn pip's line about one side of a conflict into a clause."""
    found = re.fullmatch(r"(\S+) (\S+) depends on (.+)", line)
    if found:
        return f"{found[1]} {found[2]} needs {found[3]}"
    found = re.fullmatch(r"The user requested \(constraint\) (.+)", line)
    if found:
        return f"{constrained_by or 'a constraint'} has {found[1]}"
    found = re.fullmatch(r"The user requested (.+)", line)
    return f"pyproject.toml asks for {found[1]}" if found else line


def _names(line: str) -> list[str]:
    bare = re.sub(r"^The user requested (?:\(constraint\) )?", "", line)
    parts = bare.split(" depends on ")
    return [canonicalize_name(found[0]) for part in parts if (found := _NAME.match(part))]
