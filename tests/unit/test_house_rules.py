"""The size of functions and modules in the package."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "larp_cli"
LONGEST_FUNCTION, LONGEST_MODULE, MOST_PARAMETERS = 45, 400, 6
MEDIAN, PERCENTILE_90 = 7, 22

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Find every function of the package, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function.__value__):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def length(function: Function) -> int:
    """Count the lines of a function, docstring included."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def parameters(function: Function) -> int:
    """Count the parameters of a function, without ``self`` and ``cls``."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    variable = [each for each in (given.vararg, given.kwarg) if each is not None]
    return len([name for name in names if name not in ("self", "cls")]) + len(variable)


def test_no_function_is_too_long() -> None:
    """A function fits on a screen."""
    assert [place for place, each in functions() if length(each) > LONGEST_FUNCTION] == []


def test_no_function_takes_too_many_parameters() -> None:
    """Arguments that travel together are an object."""
    assert [place for place, each in functions() if parameters(each) > MOST_PARAMETERS] == []


def test_most_functions_are_short() -> None:
    """The median and the 90th percentile stay low."""
    lengths = sorted(length(each) for _, each in functions())

    assert statistics.median(lengths) <= MEDIAN
    assert lengths[len(lengths) * 9 // 10] <= PERCENTILE_90


def test_no_module_is_too_long() -> None:
    """A module has one purpose."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}

    assert [str(path) for path, count in lines.items() if count > LONGEST_MODULE] == []


def modules() -> list[Path]:
    """List the modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[Path]:
    """Find the modules of the package that a module imports while it is imported itself."""
    found: set[Path] = set()
    todo: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            todo += node.body
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("larp_cli"):
            parts = (node.module or "").split(".")
            places = [PACKAGE.parent.joinpath(*parts, alias.name) for alias in node.names]
            places.append(PACKAGE.parent.joinpath(*parts))
            found |= {place.with_suffix(".py") for place in places}
    return {each for each in found if each.is_file()} - {path}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Modules can be put in an order in which each imports only earlier ones."""
    graph = {path: imports(path) for path in modules()}

    list(TopologicalSorter(graph).static_order())  # raises CycleError
