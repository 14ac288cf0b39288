"""Read from ``pyproject.toml`` which requirements to lock, and into which files."""

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
    """One lock file."""

    name: str
    """``main`` or ``dev``."""
    path: Path
    """Relative to the project."""
    extras: tuple[str, ...]
    """Extras whose requirements the file includes; dev includes those of main as well."""
    wanted: tuple[Requirement, ...]
    """The direct requirements."""
    fingerprint: str | None
    """SHA-256 of everything that the file depends on; None if a build computes it."""


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
        """Both files, main first."""
        return self.main, self.dev


@dataclass(frozen=True, slots=True)
class _Declared:
    """The [project] table, its types checked."""

    name: str
    requires_python: str | None
    dependencies: tuple[str, ...]
    optional: Mapping[str, tuple[str, ...]]
    """Requirements by extra, its name normalised as in PEP 685."""
    spelled: Mapping[str, str]
    """Extras as the file spells them, by their normalised names."""
    is_computed: bool
    """Whether a build computes the requirements."""


def read_project(root: Path) -> LockedProject:
    """Read ``pyproject.toml``.

    Raises:
        ConfigurationError: It is missing or invalid.
    """
    root = root.absolute()
    table = _load_toml(root / "pyproject.toml")
    declared = _read_declared(table)
    files = _read_files(table, declared)
    (main_path, main_extras), (dev_path, dev_extras) = files[MAIN], files[DEV]
    _refuse_same_file(root, main_path, dev_path)
    both = tuple(dict.fromkeys((*dev_extras, *main_extras)))
    return LockedProject(
        root=root,
        name=declared.name,
        requires_python=declared.requires_python,
        main=_make_target(MAIN, main_path, main_extras, declared),
        dev=_make_target(DEV, dev_path, both, declared),
    )


def _refuse_same_file(root: Path, main: Path, dev: Path) -> None:
    """Refuse two paths that lead to one file, or to ``pyproject.toml``."""
    paths = {(root / path).resolve() for path in (main, dev)}
    if len(paths) < 2 or root.resolve() / "pyproject.toml" in paths:
        raise ConfigurationError(f"{main} and {dev} must be two different files", hint=_EXAMPLE)


def _load_toml(path: Path) -> dict[str, Any]:
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


def _read_declared(table: dict[str, Any]) -> _Declared:
    project = table.get("project")
    if not isinstance(project, dict):
        raise _make_error("there is no [project] table", "add [project] with name and dependencies")
    name, python = project.get("name"), project.get("requires-python")
    if not isinstance(name, str) or not name:
        raise _make_error("[project] has no name", 'add it, as PEP 621 requires: name = "…"')
    optional = project.get("optional-dependencies", {})
    dynamic = _require_strings(project.get("dynamic", []), "project.dynamic")
    if not isinstance(optional, dict):
        raise _make_error(
            "project.optional-dependencies is not a table", 'write it as: dev = ["…"]'
        )
    if not isinstance(python, str | None):
        raise _make_error("project.requires-python is not a string", 'write it as: ">=3.13"')
    return _Declared(
        name=name,
        requires_python=python,
        dependencies=_require_strings(project.get("dependencies", []), "project.dependencies"),
        optional={
            canonicalize_name(extra): _require_strings(
                listed, f"project.optional-dependencies.{extra}"
            )
            for extra, listed in optional.items()
        },
        spelled={canonicalize_name(extra): extra for extra in optional},
        is_computed=not {"dependencies", "optional-dependencies"}.isdisjoint(dynamic),
    )


def _read_files(
    table: dict[str, Any], declared: _Declared
) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """Return the path and the extras of each lock file, from ``[tool.larp.requirements]``."""
    given: Any = table
    for key in TABLE.split("."):
        given = given.get(key, {}) if isinstance(given, dict) else None
    if not isinstance(given, dict) or given.keys() - DEFAULTS.keys():
        raise _make_error(f"[{TABLE}] takes main and dev", _EXAMPLE)
    files: dict[str, tuple[Path, tuple[str, ...]]] = {}
    for name, (default_file, default_extras) in DEFAULTS.items():
        entry = given.get(name, {})
        if not isinstance(entry, dict) or entry.keys() - {"file", "extras"}:
            raise _make_error(f"{TABLE}.{name} takes file and extras", _EXAMPLE)
        path = _read_path(entry.get("file", default_file), f"{TABLE}.{name}.file")
        files[name] = path, _read_extras(entry, name, default_extras, declared)
    return files


def _read_path(value: object, where: str) -> Path:
    if not isinstance(value, str) or Path(value).name in ("", ".."):
        raise _make_error(f"{where} is not a file name", _EXAMPLE)
    if Path(value).is_absolute() or ".." in Path(value).parts:
        raise _make_error(f"{where} is {value}, which is outside of the project", _EXAMPLE)
    return Path(value)


def _read_extras(
    entry: dict[str, Any], name: str, defaults: tuple[str, ...], declared: _Declared
) -> tuple[str, ...]:
    """Return the extras of a file; a default that the project lacks is left out."""
    usual = [extra for extra in defaults if extra in declared.optional or declared.is_computed]
    extras = _require_strings(entry.get("extras", usual), f"{TABLE}.{name}.extras")
    return tuple(_spell_extra(extra, name, declared) for extra in extras)


def _spell_extra(extra: str, name: str, declared: _Declared) -> str:
    """Return an extra as the project spells it."""
    known = declared.spelled.get(canonicalize_name(extra))
    if known is None and not declared.is_computed:
        raise _make_error(
            f"{TABLE}.{name} names the extra '{extra}', which is not in"
            " [project.optional-dependencies]",
            "the extras are " + (", ".join(declared.spelled.values()) or "none"),
        )
    return known or extra


def _make_target(name: str, path: Path, extras: tuple[str, ...], declared: _Declared) -> Target:
    wanted = tuple(_list_requirements(extras, declared))
    inputs = {
        "requirements": sorted({str(item) for item in wanted}),
        "requires-python": declared.requires_python,
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    return Target(name, path, extras, wanted, None if declared.is_computed else digest)


def _list_requirements(extras: tuple[str, ...], declared: _Declared) -> Iterator[Requirement]:
    """List the direct requirements, and follow extras such as ``demo[serve]`` of the project."""
    own_name = canonicalize_name(declared.name)
    todo = [canonicalize_name(extra) for extra in extras]
    seen = set(todo)
    lists = [declared.dependencies]
    while lists:
        for text in lists.pop():
            item = _parse_requirement(text)
            if item.name != own_name:
                yield item
                continue
            new = {canonicalize_name(extra) for extra in item.extras} - seen
            unknown = [] if declared.is_computed else sorted(new - declared.optional.keys())
            if unknown:
                raise _make_error(f"{text!r} names no extra of this project", "correct the name")
            todo += sorted(new)
            seen |= new
        if todo:
            lists.append(declared.optional.get(todo.pop(), ()))


def _parse_requirement(text: str) -> Requirement:
    try:
        item = Requirement(text)
    except InvalidRequirement as error:
        raise _make_error(
            f"{text!r} is not a requirement: {str(error).partition(chr(10))[0]}",
            "write it as in PEP 508: name>=1.2",
        ) from error
    item.name = canonicalize_name(item.name)
    return item


def _require_strings(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _make_error(f"{where} is not a list of strings", f'write it as: {where} = ["…"]')
    return tuple(value)


def _make_error(message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"pyproject.toml: {message}", hint=hint)
