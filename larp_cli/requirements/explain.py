"""Explain in a sentence why a resolver failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from packaging.utils import canonicalize_name

from larp_cli.requirements import pip_api, uv_api

LOOSEN = "loosen one of these in pyproject.toml"
NETWORK = "check the network, and: pip config list"


class FailureKind(StrEnum):
    """The kind of a failure. It decides what is tried next."""

    CONFLICT = "conflict"
    MISSING = "missing"
    """The index has no such package, or no such version."""
    INDEX = "index"
    """The index cannot be reached, or denies access."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure, explained."""

    kind: FailureKind
    message: str
    hint: str | None
    names: frozenset[str] = frozenset()
    """The packages that it is about, as PEP 503 has them."""


_FULL = re.compile(r"No space left on device|File too large|Disk quota exceeded")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def explain_failure(said: str, constrained_by: str | None = None) -> Failure:
    """Read from the output of a resolver why it failed, and what to do.

    Args:
        said: Its whole output.
        constrained_by: The file whose pins were constraints.
    """
    if pip_api.has_retried_in_vain(said) or uv_api.has_failed_to_fetch(said):
        return Failure(FailureKind.INDEX, "the package index cannot be reached", NETWORK)
    if replaced := pip_api.find_replaced_file(said):
        name, version = replaced  # never accepted silently: this is what hashes are for
        told = f"the index has another file for {name} {version} than the locked one"
        hint = f"if you trust it: larp requirements update --upgrade-package {name}"
        return Failure(FailureKind.OTHER, told, hint)
    return (
        _explain_conflict(said, constrained_by)
        or _explain_refusal(said)
        or _explain_missing(said)
        or _repeat_last(said)
    )


def _explain_conflict(said: str, constrained_by: str | None) -> Failure | None:
    if sides := pip_api.find_conflict_sides(said):
        told = "; ".join(dict.fromkeys(_describe_side(side, constrained_by) for side in sides))
        names = frozenset(name for side in sides for name in _list_names(side))
        return Failure(FailureKind.CONFLICT, told, LOOSEN, names)
    if pip_api.has_too_many_versions(said):
        told = "there are too many versions to try"
        return Failure(FailureKind.CONFLICT, told, "say more exactly in pyproject.toml what fits")
    sentence = uv_api.find_conflict_sentence(said)
    if sentence is not None and not _find_missing(said):
        return Failure(FailureKind.CONFLICT, sentence, LOOSEN)
    return None


def _explain_refusal(said: str) -> Failure | None:
    status = pip_api.find_refusal(said) or uv_api.find_denied_status(said)
    if status is None:
        return None
    return Failure(FailureKind.INDEX, f"the package index rejected the request ({status})", NETWORK)


def _explain_missing(said: str) -> Failure | None:
    wanted = _find_missing(said)
    if wanted is None:
        return None
    name = _NAME.match(wanted)
    return Failure(
        FailureKind.MISSING,
        f"the index has no {wanted}",
        "correct the name or the version in pyproject.toml",
        frozenset({canonicalize_name(name[0])} if name else ()),
    )


def _find_missing(said: str) -> str | None:
    return pip_api.find_unmatched_requirement(said) or uv_api.find_unknown_package(said)


def _repeat_last(said: str) -> Failure:
    if _FULL.search(said):
        hint = "free disk space, then: larp requirements update"
        return Failure(FailureKind.OTHER, "the disk is full", hint)
    last = [line.strip() for line in said.splitlines() if line.strip()]
    told = last[-1] if last else "the resolver said nothing"
    return Failure(FailureKind.OTHER, told, "larp requirements update --debug shows all it wrote")


def _describe_side(side: pip_api.ConflictSide, constrained_by: str | None) -> str:
    """Write one side of a conflict as a clause."""
    if side.package is not None:
        return f"{side.package} needs {side.requirement}"
    if side.is_constraint:
        return f"{constrained_by or 'a constraint'} has {side.requirement}"
    return f"pyproject.toml asks for {side.requirement}" if side.is_requested else side.requirement


def _list_names(side: pip_api.ConflictSide) -> list[str]:
    parts = (side.package or "", side.requirement)
    return [canonicalize_name(found[0]) for part in parts if (found := _NAME.match(part))]
