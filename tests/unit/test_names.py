"""One name means one thing in the whole package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import larp_cli

PACKAGE = Path(larp_cli.__file__).parent


def test_no_two_modules_define_a_class_or_type_of_the_same_name() -> None:
    """A class, an alias or a type variable can be found by its name alone."""
    assert _defined_more_than_once(_classes_and_types) == {}


def test_no_two_modules_define_a_function_of_the_same_name() -> None:
    """A function can be found by its name alone.

    A command shares its name with the function that does its work, and every format has its
    own `render`.
    """
    assert _defined_more_than_once(_functions) == {}


def _defined_more_than_once(names_in: object) -> dict[str, list[str]]:
    assert callable(names_in)
    places: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for name in names_in(module, path.relative_to(PACKAGE)):
            if not name.startswith("_"):
                places.setdefault(name, []).append(str(path.relative_to(PACKAGE)))
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def _classes_and_types(module: ast.Module, path: Path) -> Iterator[str]:
    """Names of classes, and of what is assigned to a name written like one."""
    for node in module.body:
        match node:
            case ast.ClassDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) if _is_class_name(name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_class_name(name):
                yield name


def _is_class_name(name: str) -> bool:
    return name[0].isupper() and any(letter.islower() for letter in name)


def _functions(module: ast.Module, path: Path) -> Iterator[str]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not _is_command(node) and not _is_format(node, path):
                yield node.name


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell a command by its decorator, ``@app.command(…)`` or ``@app.callback(…)``."""
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in ("command", "callback")
        for decorator in function.decorator_list
    )


def _is_format(function: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> bool:
    return path.parent.name == "rendering" and function.name == "render"
