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


class Unreadable(CommandFailed):
    """A line of a lock file is neither a requirement nor an option."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package at one version."""

    name: str
    """As PEP 503 has it."""
    version: str | None
    """None where it is not pinned with ``==``."""
    marker: str
    hashes: tuple[str, ...]

    @property
    def line(self) -> str:
        """What a lock file has of it, without annotations."""
        hashes = "".join(f" \\\n    --hash={value}" for value in self.hashes)
        return f"{self.requirement}{hashes}\n"

    @property
    def requirement(self) -> str:
        """The pin alone."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file, read."""

    pins: Mapping[str, Pin]
    options: tuple[str, ...]
    """Lines that are options of pip, such as ``--index-url``."""
    inputs: str | None = None
    """Fingerprint of what it was made from."""
    intact: bool | None = None
    """Whether the pins are those that were written; None where it does not say which."""

    @property
    def constraints(self) -> str:
        """The pins as constraints: pip takes neither hashes nor extras in them."""
        pinned = (pin for pin in self.pins.values() if pin.version is not None)
        return "".join(f"{pin.requirement}\n" for pin in pinned)


EMPTY = LockFile({}, ())


def parse(text: str) -> LockFile:
    """Read a lock file.

    Raises:
        Unreadable: A line is not a requirement.
    """
    pins: dict[str, Pin] = {}
    options: list[str] = []
    for number, line in enumerate(list_entries(text), 1):
        if line.startswith("-"):
            options.append(line)
            continue
        pin = _pin(line)
        if pin is None:  # the line is not shown: it may contain a password
            raise Unreadable(f"its entry {number} is not a requirement")
        pins[pin.name] = pin
    written = _stamped(text, PINS)
    intact = None if written is None else written == _digest(text)
    return LockFile(pins, tuple(options), _stamped(text, INPUTS), intact)


def salvage_pins(text: str) -> tuple[Pin, ...]:
    """Read the pins of a lock file that may be broken.

    Their hashes are left out unless they are those that were written: a version that was
    edited by hand would keep the hashes of another.
    """
    found = {
        pin.name: pin
        for line in list_entries(text)
        if (pin := _pin(line)) is not None and pin.version
    }
    if _stamped(text, PINS) == _digest(text):
        return tuple(found.values())
    return tuple(replace(pin, hashes=()) for pin in found.values())


def add_fingerprints(text: str, inputs: str | None) -> str:
    """Write into the head of a lock file what it was made from, and what it pins."""
    lines = text.splitlines(keepends=True)
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    stamps = [f"{PINS}{_digest(text)}\n"]
    if inputs is not None:
        stamps.insert(0, f"{INPUTS}{inputs}\n")
    return "".join([*lines[:head], *stamps, *lines[head:]])


def _stamped(text: str, mark: str) -> str | None:
    found = [line for line in text.splitlines() if line.startswith(mark)]
    return found[0].removeprefix(mark).strip() if found else None


def _digest(text: str) -> str:
    """Hash what a file says, whatever its comments, white space and order."""
    lines = sorted(" ".join(line.split()) for line in list_entries(text))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def difference(
    target: Target, before: LockFile | None, after: LockFile | None, *, rewritten: bool
) -> LockFileDiff:
    """Say what is different, by name."""
    old = (before or EMPTY).pins
    new = (after or EMPTY).pins
    names = sorted(old.keys() | new.keys())
    changes = (_change(name, old.get(name), new.get(name)) for name in names)
    return LockFileDiff(
        path=target.path,
        extras=target.extras,
        pins=len(new),
        rewritten=rewritten,
        changes=tuple(change for change in changes if change is not None),
    )


def _change(name: str, before: Pin | None, after: Pin | None) -> PinChange | None:
    old = before.version if before is not None else None
    new = after.version if after is not None else None
    if before is None:
        kind = PinChangeKind.ADDED
    elif after is None:
        kind = PinChangeKind.REMOVED
    elif old == new:
        if (before.marker, set(before.hashes)) == (after.marker, set(after.hashes)):
            return None
        kind = PinChangeKind.CHANGED
    else:
        upgraded = _version(new) > _version(old)
        kind = PinChangeKind.UPGRADED if upgraded else PinChangeKind.DOWNGRADED
    major = bool(old and new) and _version(old).major != _version(new).major
    return PinChange(name=name, kind=kind, before=old, after=new, major=major)


def _version(text: str | None) -> Version:
    try:
        return Version(text or "0")
    except InvalidVersion:
        return Version("0")


def list_entries(text: str) -> Iterator[str]:
    """Join continued lines, and leave comments out, as pip does.

    A comment is never continued: pip installs what stands below one that ends in a backslash.
    """
    joined = ""
    for line in text.splitlines():
        is_comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not is_comment:
            joined += line.strip("\\")
            continue
        yield from _without_comment(f"{joined} {line}" if is_comment else joined + line)
        joined = ""
    yield from _without_comment(joined)


def _without_comment(line: str) -> Iterator[str]:
    if bare := _COMMENT.sub("", line).strip():
        yield bare


def _pin(line: str) -> Pin | None:
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
