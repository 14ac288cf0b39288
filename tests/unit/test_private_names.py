"""Only a library's ``*_api.py`` module may use what that library does not document."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "larp_cli").rglob("*.py"), *(ROOT / "alembic").rglob("*.py")])
DOORS = sorted(path for path in SOURCES if path.name.endswith("_api.py"))
OUTSIDE = [path for path in SOURCES if path not in DOORS]

UNDOCUMENTED = {
    "dotenv.parser": "settings/dotenv_api.py",
    "pip": "requirements/pip_api.py",
    "piptools": "requirements/pip_api.py",
    "psycopg.conninfo.conninfo_attempts": "postgres/psycopg_api.py",
    "sqlalchemy.engine.mock": "migrations/lint/sqlalchemy_api.py",
    "typer.core": "cli/typer_api.py",
    "typer.main": "cli/typer_api.py",
    "uvicorn.protocols": "health/http/uvicorn_api.py",
    "uvicorn.server": "health/http/uvicorn_api.py",
}
"""Modules and names that their library does not document, and the one module that uses them."""


def is_private(name: str) -> bool:
    """Tell whether a name begins with an underscore and is not one of Python's own."""
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def imported_names(node: ast.AST) -> list[str]:
    """List what an import statement imports, as dotted names."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [f"{module}.{alias.name}" for alias in names]
    return []


@cache
def own_private_names() -> frozenset[str]:
    """Collect the private names that the package gives to its functions and attributes."""
    names: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    names.add(name)
                case ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                    names.add(name)
    return frozenset(filter(is_private, names))


def violations(source: str) -> Iterator[str]:
    """Find the private names of libraries in the source of a module."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import() | ast.ImportFrom():
                found = [name for name in imported_names(node) if _is_imported_privately(name)]
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                found = [name] if is_private(name) and name not in own_private_names() else []
            case ast.Attribute(attr="__class__", ctx=ast.Store()):
                found = ["__class__"]
            case ast.Attribute(attr=name):
                found = [name] if is_private(name) else []
            case ast.keyword(arg=str(name)):
                found = [name] if is_private(name) else []
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                found = [name] if is_private(name) else []
            case _:
                found = []
        for name in found:
            line = getattr(node, "lineno", 0)
            yield f"{line}: {name}"


def _is_imported_privately(name: str) -> bool:
    parts = name.split(".")
    return parts[0] != "larp_cli" and any(map(is_private, parts))


def undocumented(source: str) -> Iterator[str]:
    """Find the imports of modules that their library does not document."""
    for node in ast.walk(ast.parse(source)):
        for name in imported_names(node):
            yield from (entry for entry in UNDOCUMENTED if f"{name}.".startswith(f"{entry}."))


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_name_of_a_library_is_used_outside_its_door(path: Path) -> None:
    """Modules other than ``*_api.py`` touch no underscore of a library."""
    assert not list(violations(path.read_text()))


def test_each_undocumented_module_is_imported_by_one_module() -> None:
    """What a library does not document is imported by its own ``*_api.py`` alone."""
    importers = {
        (entry, str(path.relative_to(ROOT / "larp_cli")))
        for path in SOURCES
        for entry in undocumented(path.read_text())
        if path.is_relative_to(ROOT / "larp_cli")
    }

    assert importers <= set(UNDOCUMENTED.items())


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy.sql import _typing",
        "from library._internal import name",
        "import library._internal",
        "context._transaction",
        "library.thing._private()",
        "self._a_name_that_nobody_here_gave",
        "Settings(_build_sources=())",
        "getattr(thing, '_private')",
        "param.__class__ = Other",
    ],
)
def test_a_private_name_is_found(source: str) -> None:
    """Each way to reach a library's private name is recognised."""
    assert list(violations(source))


@pytest.mark.parametrize(
    "source",
    ["from larp_cli import __version__", "self.__dict__", "type(error).__name__", "_ = 1"],
)
def test_python_s_own_names_are_allowed(source: str) -> None:
    """Names of Python itself, and the package's own, are no private names of a library."""
    assert not list(violations(source))
