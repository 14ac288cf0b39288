"""What ``pyproject.toml`` wants to be locked, and into which files."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from larp_cli.errors import ConfigurationError

MAIN, DEV = "main", "dev"
DEFAULTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    MAIN: ("requirements.txt", ()),
    DEV: ("requirements-dev.txt", ("dev",)),
}
TABLE = "tool.larp.requirements"
_EXAMPLE = f'in [{TABLE}]: main = {{ file = "requirements.txt", extras = ["serve"] }}'


@dataclass(frozen=True, slots=True)
class Target:
    """One lock file that is to be written."""

    name: str
    """``main`` or ``dev``."""
    path: Path
    """Relative to the project."""
    extras: tuple[str, ...]
    """Extras whose requirements go into it; into dev those of main as well."""
    wanted: tuple[Requirement, ...]
    """What is asked for directly."""
    fingerprint: str | None
    """SHA-256 of all that decides what is in the file; None where a build decides it."""


@dataclass(frozen=True, slots=True)
class LockedProject:
    """A project, and its two lock files."""

    root: Path
    name: str
    requires_python: str | None
    main: Target
    dev: Target

    @property
    def targets(self) -> tuple[Target, Target]:
        """Both files."""
        return self.main, self.dev

    def other(self, target: Target) -> Target:
        """Return the one that is not ``target``."""
        return self.main if target is self.dev else self.dev


@dataclass(frozen=True, slots=True)
class _Declared:
    """The [project] table, its types checked."""

    name: str
    requires_python: str | None
    dependencies: tuple[str, ...]
    optional: Mapping[str, tuple[str, ...]]
    """By the names of the extras as PEP 685 has them."""
    spelled: Mapping[str, str]
    """The names of the extras as the file has them."""
    is_computed: bool
    """Whether a build decides what is asked for."""


def read_project(root: Path) -> LockedProject:
    """Read ``pyproject.toml``.

    Raises:
        ConfigurationError: It is missing, broken, or wants what cannot be.
    """
    root = root.absolute()
    table = _load(root / "pyproject.toml")
    declared = _declared(table)
    files = _files(table, declared)
    (main_path, main_extras), (dev_path, dev_extras) = files[MAIN], files[DEV]
    places = {(root / path).resolve() for path in (main_path, dev_path)}
    if len(places) < 2 or root.resolve() / "pyproject.toml" in places:
        raise ConfigurationError(
            f"{main_path} and {dev_path} must be two different files", hint=_EXAMPLE
        )
    both = tuple(dict.fromkeys((*dev_extras, *main_extras)))
    return LockedProject(
        root=root,
        name=declared.name,
        requires_python=declared.requires_python,
        main=_target(MAIN, main_path, main_extras, declared),
        dev=_target(DEV, dev_path, both, declared),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path} does not exist",
            hint="run it in the project, or give its directory: --project DIR",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}",
            hint="give the directory of the project: --project DIR",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}", hint="correct the file"
        ) from error


def _declared(table: dict[str, Any]) -> _Declared:
    project = table.get("project")
    if not isinstance(project, dict):
        raise _wrong("there is no [project] table", "declare name and dependencies there")
    name, python = project.get("name"), project.get("requires-python")
    if not isinstance(name, str) or not name:
        raise _wrong("[project] has no name", "PEP 621 asks for one")
    optional = project.get("optional-dependencies", {})
    dynamic = _strings(project.get("dynamic", []), "project.dynamic")
    if not isinstance(optional, dict) or not isinstance(python, str | None):
        raise _wrong("[project] is not as PEP 621 has it", "see its optional-dependencies")
    return _Declared(
        name=name,
        requires_python=python,
        dependencies=_strings(project.get("dependencies", []), "project.dependencies"),
        optional={
            canonicalize_name(extra): _strings(listed, f"project.optional-dependencies.{extra}")
            for extra, listed in optional.items()
        },
        spelled={canonicalize_name(extra): extra for extra in optional},
        is_computed=not {"dependencies", "optional-dependencies"}.isdisjoint(dynamic),
    )


def _files(table: dict[str, Any], declared: _Declared) -> dict[str, tuple[Path, tuple[str, ...]]]:
    given: Any = table
    for key in TABLE.split("."):
        given = given.get(key, {}) if isinstance(given, dict) else None
    if not isinstance(given, dict) or given.keys() - DEFAULTS.keys():
        raise _wrong(f"[{TABLE}] takes main and dev", _EXAMPLE)
    found: dict[str, tuple[Path, tuple[str, ...]]] = {}
    for name, (file, default) in DEFAULTS.items():
        entry = given.get(name, {})
        if not isinstance(entry, dict) or entry.keys() - {"file", "extras"}:
            raise _wrong(f"{TABLE}.{name} takes file and extras", _EXAMPLE)
        path = entry.get("file", file)
        if not isinstance(path, str) or Path(path).name in ("", ".."):
            raise _wrong(f"{TABLE}.{name}.file is not a file name", _EXAMPLE)
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise _wrong(f"{TABLE}.{name}.file is {path}, not below the project", _EXAMPLE)
        usual = [extra for extra in default if extra in declared.optional or declared.is_computed]
        extras = _strings(entry.get("extras", usual), f"{TABLE}.{name}.extras")
        found[name] = Path(path), tuple(_extra(extra, name, declared) for extra in extras)
    return found


def _extra(extra: str, name: str, declared: _Declared) -> str:
    """Return the name of an extra as the project spells it."""
    known = declared.spelled.get(canonicalize_name(extra))
    if known is None and not declared.is_computed:
        raise _wrong(
            f"{TABLE}.{name} names the extra '{extra}', which is not in"
            " [project.optional-dependencies]",
            "the extras are " + (", ".join(declared.spelled.values()) or "none"),
        )
    return known or extra


def _target(name: str, path: Path, extras: tuple[str, ...], declared: _Declared) -> Target:
    wanted = tuple(_wanted(extras, declared))
    decides = {
        "requirements": sorted({str(item) for item in wanted}),
        "requires-python": declared.requires_python,
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return Target(name, path, extras, wanted, None if declared.is_computed else digest)


def _wanted(extras: tuple[str, ...], declared: _Declared) -> Iterator[Requirement]:
    """Go through the requirements, and through those of extras that refer to the project."""
    ourselves = canonicalize_name(declared.name)
    todo = [canonicalize_name(extra) for extra in extras]
    seen = set(todo)
    lists = [declared.dependencies]
    while lists:
        for text in lists.pop():
            item = _requirement(text)
            if item.name != ourselves:
                yield item
                continue
            new = {canonicalize_name(extra) for extra in item.extras} - seen
            unknown = [] if declared.is_computed else sorted(new - declared.optional.keys())
            if unknown:
                raise _wrong(f"{text!r} names no extra of this project", "correct the name")
            todo += sorted(new)
            seen |= new
        if todo:
            lists.append(declared.optional.get(todo.pop(), ()))


def _requirement(text: str) -> Requirement:
    try:
        item = Requirement(text)
    except InvalidRequirement as error:
        raise _wrong(
            f"{text!r} is not a requirement: {str(error).partition(chr(10))[0]}",
            "PEP 508 has them as: name>=1.2",
        ) from error
    item.name = canonicalize_name(item.name)
    return item


def _strings(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(f"{where} is not a list of strings", f'write it as: {where} = ["…"]')
    return tuple(value)


def _wrong(message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"pyproject.toml: {message}", hint=hint)
