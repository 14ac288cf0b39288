"""Explain in one sentence why a resolver failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from packaging.utils import canonicalize_name

from larp_cli.requirements import pip_api, uv_api

LOOSEN = "loosen one of these in pyproject.toml"
NETWORK = "check the network and the index settings: pip config list"


class FailureKind(StrEnum):
    """The kind of a failure, which decides what larp tries next."""

    CONFLICT = "conflict"
    MISSING = "missing"
    """The index has no such package, or no such version."""
    INDEX = "index"
    """The index cannot be reached, or denies access."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """An explained failure."""

    kind: FailureKind
    message: str
    hint: str | None
    names: frozenset[str] = frozenset()
    """The packages involved, normalised as in PEP 503."""


_DISK_FULL = re.compile(r"No space left on device|File too large|Disk quota exceeded")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def explain_failure(output: str, constrained_by: str | None = None) -> Failure:
    """Explain from the output of a resolver why it failed, and what to do.

    Args:
        output: Everything the resolver wrote.
        constrained_by: The file whose pins were constraints.
    """
    if pip_api.has_exhausted_retries(output) or uv_api.has_failed_to_fetch(output):
        return Failure(FailureKind.INDEX, "the package index cannot be reached", NETWORK)
    if replaced := pip_api.find_replaced_file(output):
        name, version = replaced  # hashes exist to detect this, so never accept it silently
        message = f"the index has another file for {name} {version} than the locked one"
        hint = f"if you trust it: larp requirements update --upgrade-package {name}"
        return Failure(FailureKind.OTHER, message, hint)
    return (
        _explain_conflict(output, constrained_by)
        or _explain_denied_access(output)
        or _explain_missing(output)
        or _explain_other(output)
    )


def _explain_conflict(output: str, constrained_by: str | None) -> Failure | None:
    if sides := pip_api.find_conflict_sides(output):
        message = "; ".join(dict.fromkeys(_describe_side(side, constrained_by) for side in sides))
        names = frozenset(name for side in sides for name in _list_names(side))
        return Failure(FailureKind.CONFLICT, message, LOOSEN, names)
    if pip_api.has_too_many_versions(output):
        message = "there are too many versions to try"
        return Failure(FailureKind.CONFLICT, message, "narrow the version ranges in pyproject.toml")
    sentence = uv_api.find_conflict_sentence(output)
    if sentence is not None and not _find_missing(output):
        return Failure(FailureKind.CONFLICT, sentence, LOOSEN)
    return None


def _explain_denied_access(output: str) -> Failure | None:
    status = pip_api.find_rejection_status(output) or uv_api.find_denied_status(output)
    if status is None:
        return None
    return Failure(FailureKind.INDEX, f"the package index rejected the request ({status})", NETWORK)


def _explain_missing(output: str) -> Failure | None:
    wanted = _find_missing(output)
    if wanted is None:
        return None
    name = _NAME.match(wanted)
    return Failure(
        FailureKind.MISSING,
        f"the index has no {wanted}",
        "correct the name or the version in pyproject.toml",
        frozenset({canonicalize_name(name[0])} if name else ()),
    )


def _find_missing(output: str) -> str | None:
    return pip_api.find_unmatched_requirement(output) or uv_api.find_unknown_package(output)


def _explain_other(output: str) -> Failure:
    if _DISK_FULL.search(output):
        hint = "free disk space, then: larp requirements update"
        return Failure(FailureKind.OTHER, "the disk is full", hint)
    last = [line.strip() for line in output.splitlines() if line.strip()]
    message = last[-1] if last else "the resolver wrote nothing"
    return Failure(
        FailureKind.OTHER,
        message,
        "run it again to see the full output: larp requirements update --debug",
    )


def _describe_side(side: pip_api.ConflictSide, constrained_by: str | None) -> str:
    """Write one side of a conflict as a clause."""
    if side.package is not None:
        return f"{side.package} needs {side.requirement}"
    if side.is_constraint:
        return f"{constrained_by or 'a constraint'} has {side.requirement}"
    return f"pyproject.toml requires {side.requirement}" if side.is_requested else side.requirement


def _list_names(side: pip_api.ConflictSide) -> list[str]:
    parts = (side.package or "", side.requirement)
    return [canonicalize_name(found[0]) for part in parts if (found := _NAME.match(part))]
