"""Read lock files, compare them, and write their fingerprints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from larp_cli.errors import CommandFailed
from larp_cli.requirements.project import Target
from larp_cli.results import LockFileDiff, PinChange, PinChangeKind

INPUTS = "# larp-inputs: sha256:"
PINS = "# larp-pins: sha256:"
_HASH = re.compile(r"\s--hash=(\S+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")


class UnreadableLockFile(CommandFailed):
    """A line of a lock file is neither a requirement nor an option."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package at one version."""

    name: str
    """Normalised as in PEP 503."""
    version: str | None
    """None if the line does not pin one version with ``==``."""
    marker: str
    hashes: tuple[str, ...]

    @property
    def line(self) -> str:
        """The lines of a lock file for this pin, without annotations."""
        hashes = "".join(f" \\\n    --hash={value}" for value in self.hashes)
        return f"{self.requirement}{hashes}\n"

    @property
    def requirement(self) -> str:
        """The pin without hashes."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


@dataclass(frozen=True, slots=True)
class LockFile:
    """A parsed lock file."""

    pins: Mapping[str, Pin]
    options: tuple[str, ...]
    """Lines with options for pip, such as ``--index-url``."""
    inputs: str | None = None
    """Fingerprint of the requirements that it was compiled from."""
    intact: bool | None = None
    """Whether the pins are those that larp wrote; None if the file has no fingerprint of them."""

    @property
    def constraints(self) -> str:
        """The pins as constraints, in which pip accepts neither hashes nor extras."""
        pinned = (pin for pin in self.pins.values() if pin.version is not None)
        return "".join(f"{pin.requirement}\n" for pin in pinned)


EMPTY = LockFile({}, ())


def parse(text: str) -> LockFile:
    """Parse a lock file.

    Raises:
        UnreadableLockFile: A line is not a requirement.
    """
    pins: dict[str, Pin] = {}
    options: list[str] = []
    for number, line in enumerate(list_entries(text), 1):
        if line.startswith("-"):
            options.append(line)
            continue
        pin = _parse_pin(line)
        if pin is None:  # do not show the line: it may contain a password
            raise UnreadableLockFile(f"its entry {number} is not a requirement")
        pins[pin.name] = pin
    written = _find_fingerprint(text, PINS)
    intact = None if written is None else written == _hash_entries(text)
    return LockFile(pins, tuple(options), _find_fingerprint(text, INPUTS), intact)


def salvage_pins(text: str) -> tuple[Pin, ...]:
    """Read the pins of a lock file that may be broken.

    Drop their hashes if the file was edited: a version changed by hand would keep the hashes
    of the old one.
    """
    found = {
        pin.name: pin
        for line in list_entries(text)
        if (pin := _parse_pin(line)) is not None and pin.version
    }
    if _find_fingerprint(text, PINS) == _hash_entries(text):
        return tuple(found.values())
    return tuple(replace(pin, hashes=()) for pin in found.values())


def add_fingerprints(text: str, inputs: str | None) -> str:
    """Add fingerprints of the requirements and of the pins to the header of a lock file."""
    lines = text.splitlines(keepends=True)
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    stamps = [f"{PINS}{_hash_entries(text)}\n"]
    if inputs is not None:
        stamps.insert(0, f"{INPUTS}{inputs}\n")
    return "".join([*lines[:head], *stamps, *lines[head:]])


def _find_fingerprint(text: str, mark: str) -> str | None:
    found = [line for line in text.splitlines() if line.startswith(mark)]
    return found[0].removeprefix(mark).strip() if found else None


def _hash_entries(text: str) -> str:
    """Hash the entries of a file, without comments, white space and order."""
    lines = sorted(" ".join(line.split()) for line in list_entries(text))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def compare_lock_files(
    target: Target, before: LockFile | None, after: LockFile | None, *, rewritten: bool
) -> LockFileDiff:
    """List the changes, ordered by package name."""
    old = (before or EMPTY).pins
    new = (after or EMPTY).pins
    names = sorted(old.keys() | new.keys())
    changes = (_compare_pins(name, old.get(name), new.get(name)) for name in names)
    return LockFileDiff(
        path=target.path,
        extras=target.extras,
        pins=len(new),
        rewritten=rewritten,
        changes=tuple(change for change in changes if change is not None),
    )


def _compare_pins(name: str, before: Pin | None, after: Pin | None) -> PinChange | None:
    kind = _classify_change(before, after)
    if kind is None:
        return None
    old = before.version if before is not None else None
    new = after.version if after is not None else None
    major = bool(old and new) and _parse_version(old).major != _parse_version(new).major
    return PinChange(name=name, kind=kind, before=old, after=new, major=major)


def _classify_change(before: Pin | None, after: Pin | None) -> PinChangeKind | None:
    """Return the kind of a change; None if both pins are equal."""
    if before is None:
        return PinChangeKind.ADDED
    if after is None:
        return PinChangeKind.REMOVED
    if before.version == after.version:
        same = (before.marker, set(before.hashes)) == (after.marker, set(after.hashes))
        return None if same else PinChangeKind.CHANGED
    is_newer = _parse_version(after.version) > _parse_version(before.version)
    return PinChangeKind.UPGRADED if is_newer else PinChangeKind.DOWNGRADED


def _parse_version(text: str | None) -> Version:
    try:
        return Version(text or "0")
    except InvalidVersion:
        return Version("0")


def list_entries(text: str) -> Iterator[str]:
    """List the lines, with continued lines joined and comments removed, as pip reads them.

    A comment never continues: pip reads the line below one that ends in a backslash.
    """
    joined = ""
    for line in text.splitlines():
        is_comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not is_comment:
            joined += line.strip("\\")
            continue
        yield from _strip_comment(f"{joined} {line}" if is_comment else joined + line)
        joined = ""
    yield from _strip_comment(joined)


def _strip_comment(line: str) -> Iterator[str]:
    if bare := _COMMENT.sub("", line).strip():
        yield bare


def _parse_pin(line: str) -> Pin | None:
    hashes = tuple(_HASH.findall(line))
    try:
        requirement = Requirement(_HASH.sub("", line).strip())
    except InvalidRequirement:
        return None
    exact = [item.version for item in requirement.specifier if item.operator in ("==", "===")]
    pinned = len(exact) == 1 and not exact[0].endswith("*") and requirement.url is None
    return Pin(
        name=canonicalize_name(requirement.name),
        version=exact[0] if pinned else None,
        marker=str(requirement.marker or ""),
        hashes=hashes,
    )
