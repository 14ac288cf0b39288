"""What a lock file pins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from larp_cli.errors import CommandFailed
from larp_cli.requirements.project import Target
from larp_cli.results import LockFileDiff, PinChange, PinChangeKind

FINGERPRINT = "# larp-inputs: sha256:"
_HASH = re.compile(r"\s--hash=(\S+)")


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
    text: str
    """The requirement, without its hashes."""


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file, read."""

    pins: Mapping[str, Pin]
    options: tuple[str, ...]
    """Lines that are options of pip, such as ``--index-url``."""
    fingerprint: str | None
    """Of what it was made from."""

    @property
    def constraints(self) -> str:
        """The pins as constraints: pip takes neither hashes nor extras in them."""
        lines = (
            f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "")
            for pin in self.pins.values()
            if pin.version is not None
        )
        return "".join(f"{line}\n" for line in lines)


EMPTY = LockFile({}, (), None)


def parse(text: str) -> LockFile:
    """Read a lock file.

    Raises:
        Unreadable: A line is no requirement.
    """
    pins: dict[str, Pin] = {}
    options: list[str] = []
    for line in _lines(text):
        if line.startswith("-"):
            options.append(line)
            continue
        pin = _pin(line)
        pins[pin.name] = pin
    marked = [line for line in text.splitlines() if line.startswith(FINGERPRINT)]
    return LockFile(
        pins, tuple(options), marked[0].removeprefix(FINGERPRINT).strip() if marked else None
    )


def read(path: Path) -> LockFile | None:
    """Read a lock file; None where there is none.

    Raises:
        Unreadable: A line is no requirement, or the file is no text.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"it cannot be read: {error}") from error


def difference(target: Target, before: LockFile | None, after: LockFile) -> LockFileDiff:
    """Say what is different, by name."""
    old = (before or EMPTY).pins
    names = sorted(old.keys() | after.pins.keys())
    changes = (_change(name, old.get(name), after.pins.get(name)) for name in names)
    return LockFileDiff(
        path=target.path,
        extras=target.extras,
        pins=len(after.pins),
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


def _lines(text: str) -> Iterator[str]:
    """Join continued lines, and leave comments out."""
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if bare:
            yield bare


def _pin(line: str) -> Pin:
    hashes = tuple(_HASH.findall(line))
    text = _HASH.sub("", line).strip()
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise Unreadable(f"'{text[:60]}' is no requirement") from error
    exact = [item.version for item in requirement.specifier if item.operator in ("==", "===")]
    return Pin(
        name=canonicalize_name(requirement.name),
        version=exact[0] if len(exact) == 1 and requirement.url is None else None,
        marker=str(requirement.marker or ""),
        hashes=hashes,
        text=text,
    )
