"""The invariants of a pair of lock files: what must hold before they are published."""

from __future__ import annotations

import re
from collections.abc import Iterator

from larp_cli.requirements.lockfile import LockFile
from larp_cli.requirements.project import LockedProject, Target
from larp_cli.results import LockFinding

_CREDENTIALS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@]*@", re.IGNORECASE)
_PLACE = re.compile(r"(?:^|[\s=@(])(?:/|[A-Za-z]:\\|file:/)")
"""A path of this machine."""


def pair_findings(
    project: LockedProject, main: LockFile, dev: LockFile, *, hashes: bool | None
) -> Iterator[LockFinding]:
    """Go through what is wrong with a pair.

    ``hashes`` says whether every pin, or none, has to have them; None asks only that it be
    all or none.
    """
    for target, locked in ((project.main, main), (project.dev, dev)):
        yield from _file_findings(target, locked, hashes=hashes)
    for name, pin in main.pins.items():
        other = dev.pins.get(name)
        if other is None:
            message = f"{name} is in {project.main.path} and not in {project.dev.path}"
            yield LockFinding(code="not_in_dev", message=message)
        elif other.version != pin.version:
            yield LockFinding(
                code="unequal",
                message=f"{name} is {pin.version} in {project.main.path}"
                f" and {other.version} in {project.dev.path}",
            )


def _file_findings(
    target: Target, locked: LockFile, *, hashes: bool | None
) -> Iterator[LockFinding]:
    for option in locked.options:
        told = option.split("=")[0].split()[0]
        message = f"{target.path} has the option {told}, which belongs to one machine"
        yield LockFinding(code="unsafe", message=message)
    for pin in locked.pins.values():
        if pin.version is None:
            message = f"{target.path} does not pin {pin.name} to one version"
            yield LockFinding(code="unsafe", message=message)
    with_hashes = [pin for pin in locked.pins.values() if pin.hashes]
    wanted = bool(with_hashes) if hashes is None else hashes
    if wanted and len(with_hashes) < len(locked.pins):
        first = next(pin.name for pin in locked.pins.values() if not pin.hashes)
        message = f"{target.path} has no hash of {first}, so pip will refuse it"
        yield LockFinding(code="hashes", message=message)


def text_findings(target: Target, text: str, private: tuple[str, ...]) -> Iterator[LockFinding]:
    """Look for what names this machine, its index or a password, anywhere in the text."""
    for line in text.splitlines():
        bare = re.sub(r"\\$", "", line).strip()
        if _CREDENTIALS.search(bare) or any(word in bare for word in private):
            message = f"{target.path} would name a private index"
            yield LockFinding(code="unsafe", message=message)
        elif _PLACE.search(bare):
            message = f"{target.path} would name a path of this machine"
            yield LockFinding(code="unsafe", message=message)


def wanted_findings(target: Target, locked: LockFile) -> Iterator[LockFinding]:
    """Hold a file against what ``pyproject.toml`` asks for, without an index."""
    if (
        target.fingerprint is not None
        and locked.fingerprint is not None
        and locked.fingerprint != target.fingerprint
    ):
        message = f"{target.path} was compiled from another pyproject.toml"
        yield LockFinding(code="stale", message=message)
    for item in target.wanted:
        pin = locked.pins.get(_name(item.name))
        if pin is None:
            if item.marker is None or item.marker.evaluate({"extra": ""}):
                message = f"{target.path} has no {item.name}, which pyproject.toml asks for"
                yield LockFinding(code="unsatisfied", message=message)
        elif pin.version is not None and not item.specifier.contains(pin.version, prereleases=True):
            yield LockFinding(
                code="unsatisfied",
                message=f"{target.path} pins {item.name} {pin.version},"
                f" and pyproject.toml asks for {item.specifier}",
            )


def _name(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
