"""Find faults in a pair of lock files, before larp writes them and whenever it checks them."""

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
_LOCAL_PATH = re.compile(r"(?:^|[\s=@(])(?:/[\w.]|[A-Za-z]:\\|file:/)")
"""A path on this machine."""
_PIN = re.compile(r"[\w.-]+==[\w.+!-]+(?: ;.*)?|--hash=\w+:[0-9a-f]+")
_NEEDED_BY = re.compile(r"#\s+(?:via )?[\w.-]+(?: \(pyproject\.toml\))?")
"""An annotation that names a package."""


def find_pair_faults(
    project: LockedProject, main: LockFile, dev: LockFile, *, hashes: bool | None
) -> Iterator[LockFinding]:
    """Find faults in each file, and pins of main that dev lacks or has at another version.

    ``hashes`` says whether pins must have hashes; None accepts files with or without them,
    but not a mixture.
    """
    yield from _find_file_faults(project.main, main, hashes=hashes)
    yield from _find_file_faults(project.dev, dev, hashes=hashes)
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


def _find_file_faults(
    target: Target, locked: LockFile, *, hashes: bool | None
) -> Iterator[LockFinding]:
    for option in locked.options:
        name = option.split("=")[0].split()[0]
        message = f"{target.path} has the option {name}, which is specific to one machine"
        yield LockFinding(code="unsafe", message=message)
    for pin in locked.pins.values():
        if pin.version is None:
            message = f"{target.path} does not pin {pin.name} to one version"
            yield LockFinding(code="unsafe", message=message)
    yield from _find_missing_hash(target, locked, hashes=hashes)


def _find_missing_hash(
    target: Target, locked: LockFile, *, hashes: bool | None
) -> Iterator[LockFinding]:
    without = [pin.name for pin in locked.pins.values() if not pin.hashes]
    if hashes is None:
        hashes = len(without) < len(locked.pins)
    if hashes and without:
        message = f"{target.path} has no hash for {without[0]}, so pip will reject it"
        yield LockFinding(code="hashes", message=message)


def find_private_text(target: Target, text: str, private: tuple[str, ...]) -> Iterator[LockFinding]:
    """Find paths on this machine, and names and passwords of an index.

    Skip pins and hashes: a password may equal a package name, or be four digits.
    """
    for line in text.splitlines():
        bare = line.removesuffix("\\").strip()
        if _PIN.fullmatch(bare) or _NEEDED_BY.fullmatch(bare):
            continue
        if _CREDENTIALS.search(bare) or any(word in bare for word in private):
            message = f"{target.path} would name a private index"
            yield LockFinding(code="unsafe", message=message)
        elif _LOCAL_PATH.search(bare):
            message = f"{target.path} would contain a path on this machine"
            yield LockFinding(code="unsafe", message=message)


def find_mismatches(target: Target, locked: LockFile) -> Iterator[LockFinding]:
    """Compare a file with ``pyproject.toml`` and with its own fingerprints, without an index."""
    if target.fingerprint is not None and locked.inputs != target.fingerprint:
        message = f"pyproject.toml has changed since {target.path} was compiled"
        if locked.inputs is None:
            message = f"{target.path} does not say what it was compiled from"
        yield LockFinding(code="stale", message=message)
    if not locked.intact:
        fault = "was edited by hand" if locked.intact is False else "was not written by larp"
        yield LockFinding(code="edited", message=f"{target.path} {fault}")
    yield from _find_unsatisfied(target, locked)


def _find_unsatisfied(target: Target, locked: LockFile) -> Iterator[LockFinding]:
    for item in target.wanted:
        if item.marker is not None and not item.marker.evaluate({"extra": ""}):
            continue
        pin = locked.pins.get(canonicalize_name(item.name))
        if pin is None:
            message = f"{target.path} has no {item.name}, which pyproject.toml requires"
            yield LockFinding(code="unsatisfied", message=message)
        elif pin.version is not None and not _satisfies(pin.version, item.specifier):
            yield LockFinding(
                code="unsatisfied",
                message=f"{target.path} pins {item.name} {pin.version},"
                f" but pyproject.toml requires {item.specifier}",
            )


def _satisfies(version: str, specifier: SpecifierSet) -> bool:
    try:
        return specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False
