"""The invariants of a pair of lock files: what must hold before they are published."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from larp_cli.requirements.lockfile import LockFile
from larp_cli.requirements.project import LockedProject, Target
from larp_cli.results import LockFinding

_CREDENTIALS = re.compile(r"[a-z][a-z0-9+.-]*://\S*@", re.IGNORECASE)
_PLACE = re.compile(r"(?:^|[\s=@(])(?:/[\w.]|[A-Za-z]:\\|file:/)")
"""A path of this machine."""
_PIN = re.compile(r"[\w.-]+==[\w.+!-]+(?: ;.*)?|--hash=\w+:[0-9a-f]+")
_NEEDED_BY = re.compile(r"#\s+(?:via )?[\w.-]+(?: \(pyproject\.toml\))?")
"""An annotation that names a package."""


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
            message = f"{name} is in {project.main.path} but not in {project.dev.path}"
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
    """Look for what names this machine, its index or a password, anywhere in the text.

    Not in pins and hashes: a password may well be the name of a package, or four digits.
    """
    for line in text.splitlines():
        bare = line.removesuffix("\\").strip()
        if _PIN.fullmatch(bare) or _NEEDED_BY.fullmatch(bare):
            continue
        if _CREDENTIALS.search(bare) or any(word in bare for word in private):
            message = f"{target.path} would name a private index"
            yield LockFinding(code="unsafe", message=message)
        elif _PLACE.search(bare):
            message = f"{target.path} would name a path of this machine"
            yield LockFinding(code="unsafe", message=message)


def wanted_findings(target: Target, locked: LockFile) -> Iterator[LockFinding]:
    """Hold a file against what ``pyproject.toml`` asks for, without an index."""
    if target.fingerprint is not None and locked.inputs != target.fingerprint:
        message = f"pyproject.toml has changed since {target.path} was compiled"
        if locked.inputs is None:
            message = f"{target.path} does not say what it was compiled from"
        yield LockFinding(code="stale", message=message)
    if not locked.intact:
        told = "has other pins than were written" if locked.intact is False else "is not larp's own"
        yield LockFinding(code="edited", message=f"{target.path} {told}")
    for item in target.wanted:
        if item.marker is not None and not item.marker.evaluate({"extra": ""}):
            continue
        pin = locked.pins.get(canonicalize_name(item.name))
        if pin is None:
            message = f"{target.path} has no {item.name}, which pyproject.toml asks for"
            yield LockFinding(code="unsatisfied", message=message)
        elif pin.version is not None and not _fits(item.specifier, pin.version):
            yield LockFinding(
                code="unsatisfied",
                message=f"{target.path} pins {item.name} {pin.version},"
                f" and pyproject.toml asks for {item.specifier}",
            )


def _fits(specifier: SpecifierSet, version: str) -> bool:
    try:
        return specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False
