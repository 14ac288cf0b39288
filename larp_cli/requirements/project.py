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
    main: Target
    dev: Target

    @property
    def targets(self) -> tuple[Target, Target]:
        """Both files."""
        return self.main, self.dev


def read_project(root: Path) -> LockedProject:
    """Read ``pyproject.toml``.

    Raises:
        ConfigurationError: It is missing, broken, or wants what cannot be.
    """
    root = root.absolute()
    table = _load(root / "pyproject.toml")
    project = table.get("project")
    if not isinstance(project, dict):
        raise ConfigurationError(
            f"{root / 'pyproject.toml'} has no [project] table",
            hint="declare name, version and dependencies there, as PEP 621 has it",
        )
    name = str(project.get("name", ""))
    files = _files(table, project)
    (main_path, main_extras), (dev_path, dev_extras) = files[MAIN], files[DEV]
    if main_path == dev_path:
        raise ConfigurationError(
            f"main and dev are the same file: {main_path}", hint=f"see [{TABLE}] in pyproject.toml"
        )
    both = tuple(dict.fromkeys((*dev_extras, *main_extras)))
    return LockedProject(
        root=root,
        name=name,
        main=_target(MAIN, main_path, main_extras, name, project),
        dev=_target(DEV, dev_path, both, name, project),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no {path}", hint="larp requirements update --project DIRECTORY"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error


def _files(
    table: dict[str, Any], project: dict[str, Any]
) -> dict[str, tuple[Path, tuple[str, ...]]]:
    given = table.get("tool", {}).get("larp", {}).get("requirements", {})
    extras = project.get("optional-dependencies", {})
    found: dict[str, tuple[Path, tuple[str, ...]]] = {}
    for name, (file, default) in DEFAULTS.items():
        entry = given.get(name, {}) if isinstance(given, dict) else None
        wanted = entry.get("extras") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(wanted, list | None):
            raise ConfigurationError(
                f'[{TABLE}] wants {name} = {{ file = "{file}", extras = ["…"] }}'
            )
        if wanted is None:
            wanted = [extra for extra in default if extra in extras]
        unknown = [extra for extra in wanted if extra not in extras]
        if unknown:
            raise ConfigurationError(
                f"[{TABLE}] names the extra '{unknown[0]}', which is not in"
                " [project.optional-dependencies]"
            )
        path = Path(str(entry.get("file", file)))
        if path.is_absolute() or ".." in path.parts:
            raise ConfigurationError(f"[{TABLE}] names {path}, which is not below the project")
        found[name] = path, tuple(wanted)
    return found


def _target(
    name: str, path: Path, extras: tuple[str, ...], project_name: str, project: dict[str, Any]
) -> Target:
    dynamic = project.get("dynamic", [])
    wanted = tuple(_wanted(extras, project_name, project))
    told = "dependencies" not in dynamic and "optional-dependencies" not in dynamic
    decides = {
        "requirements": sorted({str(item) for item in wanted}),
        "requires-python": project.get("requires-python"),
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return Target(name, path, extras, wanted, digest if told else None)


def _wanted(
    extras: tuple[str, ...], project_name: str, project: dict[str, Any]
) -> Iterator[Requirement]:
    """Go through the requirements, and through those of extras that refer to the project."""
    lists = [project.get("dependencies", [])]
    todo, seen = list(extras), set(extras)
    optional = project.get("optional-dependencies", {})
    while todo:
        lists.append(optional.get(todo.pop(), []))
        for text in lists[-1]:
            item = _requirement(text)
            if canonicalize_name(item.name) == canonicalize_name(project_name):
                todo += [extra for extra in item.extras if extra not in seen]
                seen |= item.extras
    for text in (text for listed in lists for text in listed):
        item = _requirement(text)
        if canonicalize_name(item.name) != canonicalize_name(project_name):
            yield item


def _requirement(text: object) -> Requirement:
    try:
        return Requirement(str(text))
    except InvalidRequirement as error:
        raise ConfigurationError(
            f"pyproject.toml asks for {text!r}, which is no requirement:"
            f" {str(error).partition(chr(10))[0]}"
        ) from error
