"""Read ``alembic.ini`` and the revision files without Alembic.

Importing Alembic and SQLAlchemy takes longer than everything else in a migration that has
nothing to do, which is what a container runs at almost every start. A function here answers
only what the files say in plain literals; None leaves the question to Alembic.
"""

from __future__ import annotations

import ast
import contextlib
import os
import warnings
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path

from larp_cli.migrations.graph import RevisionGraph, sort_graph

_LOCATIONS = ("version_locations", "recursive_version_locations", "sourceless")

_VARIABLES = frozenset({"revision", "down_revision", "branch_labels", "depends_on"})

_MENTIONS = (b"revision", b"branch_labels", b"depends_on")
"""Text that contains none of these assigns none of the variables."""

_IMPORTS = (ast.Import, ast.ImportFrom)
_VALUES = (ast.Constant, ast.keyword)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class NotPlain(Exception):
    """Only running the revision file tells what it assigns."""


@dataclass(frozen=True, slots=True)
class RevisionVariables:
    """What a revision file says about its place in the graph."""

    revision: str
    down_revision: tuple[str, ...]
    branch_labels: tuple[str, ...]
    depends_on: tuple[str, ...]


def parse_script_directory(config_file: Path) -> Path | None:
    """Read from an ``alembic.ini`` where its scripts are."""
    config = ConfigParser({"here": str(config_file.parent)})
    try:
        config.read_string(config_file.read_text(encoding="utf-8"))
        section = config["alembic"]
        if any(section.get(name) for name in _LOCATIONS):
            return None
        directory = Path(section["script_location"])
    except (OSError, KeyError, ValueError, ConfigError):
        return None
    return directory if directory.is_dir() else None


def read_graph(versions: Path) -> RevisionGraph | None:
    """Read the graph of the revision files in a directory.

    Raises:
        ConfigurationError: A revision needs one that does not exist, or needs itself.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # Python reports it when it runs them
            revisions = [read_variables(source) for source in _read_sources(versions)]
    except (OSError, NotPlain, SyntaxError, ValueError, RecursionError):
        return None
    names = {item.revision for item in revisions}
    labels = {label: item.revision for item in revisions for label in item.branch_labels}
    if len(names) < len(revisions) or names & labels.keys():
        return None  # Alembic knows which of two with one name counts
    down_revisions = {item.revision: item.down_revision for item in revisions}
    depends_on = {
        item.revision: tuple(labels.get(name, name) for name in item.depends_on)
        for item in revisions
        if item.depends_on
    }
    return sort_graph(RevisionGraph(down_revisions, depends_on))


def read_variables(source: bytes) -> RevisionVariables:
    """Read the variables of a revision file from its syntax tree.

    Parsing costs the time, so the part before the first function is parsed alone where that
    is enough: it is a whole module by itself, so the function does not begin inside a string,
    and the rest mentions none of the variables.

    Raises:
        NotPlain: Only running the file tells.
        SyntaxError: The file is not Python.
        ValueError: The file is not text.
    """
    end = source.find(b"\ndef ") + 1
    rest = source[end:]
    if end and not any(name in rest for name in _MENTIONS):
        with contextlib.suppress(SyntaxError):
            return _read_module(ast.parse(source[:end]))
    return _read_module(ast.parse(source))


def _read_sources(versions: Path) -> Iterator[bytes]:
    """Read the files that Alembic takes for revisions."""
    with os.scandir(versions) as entries:
        files = sorted(entry.path for entry in entries if _is_revision(entry))
    for path in files:
        with open(path, "rb", buffering=0) as file:
            yield file.read()


def _is_revision(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    return name.endswith(".py") and not name.startswith((".#", "__init__")) and not entry.is_dir()


def _read_module(module: ast.Module) -> RevisionVariables:
    values: dict[str, ast.expr] = {}
    for statement in module.body:
        for target, value in _list_assignments(statement):
            if isinstance(target, ast.Name) and target.id in _VARIABLES:
                values[target.id] = value
            elif _may_assign(target) or _may_assign(value):
                raise NotPlain
    if not {"revision", "down_revision"} <= values.keys():
        raise NotPlain
    revision = values["revision"]
    if not isinstance(revision, ast.Constant) or not isinstance(revision.value, str):
        raise NotPlain
    return RevisionVariables(
        revision.value,
        _read_names(values["down_revision"]),
        _read_names(values.get("branch_labels")),
        _read_names(values.get("depends_on")),
    )


def _list_assignments(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """List the targets of a statement at module level, each with its value.

    Raises:
        NotPlain: It may assign one of the variables in another way.
    """
    if isinstance(statement, ast.AnnAssign):
        return [(statement.target, statement.value)] if statement.value is not None else []
    if isinstance(statement, ast.Assign):
        return [pair for target in statement.targets for pair in _unpack(target, statement.value)]
    if _may_assign(statement):
        raise NotPlain
    return []


def _unpack(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Pair the names on the left of an assignment with the values on its right."""
    if (
        isinstance(target, ast.Tuple)
        and isinstance(value, ast.Tuple)
        and len(target.elts) == len(value.elts)
    ):
        for inner, item in zip(target.elts, value.elts, strict=True):
            yield from _unpack(inner, item)
    else:
        yield target, value


def _may_assign(node: ast.AST) -> bool:
    """Check whether a node binds one of the variables in any other way than by assignment.

    The body of a function or class has its own names; only ``global`` reaches out of it.
    """
    if isinstance(node, _IMPORTS):
        imported = {alias.asname or alias.name for alias in node.names}
        return "*" in imported or not _VARIABLES.isdisjoint(imported)
    if isinstance(node, _SCOPES):
        inner = [below for below in ast.walk(node) if isinstance(below, ast.Global)]
        return node.name in _VARIABLES or any(_VARIABLES & set(below.names) for below in inner)
    binding = (below for below in ast.walk(node) if not _only_reads(below))
    texts = (text for below in binding for text in vars(below).values() if isinstance(text, str))
    return not _VARIABLES.isdisjoint(texts)


def _only_reads(node: ast.AST) -> bool:
    """Check whether the text in a node is a value, or a name that is looked up."""
    return isinstance(node, _VALUES) or isinstance(getattr(node, "ctx", None), ast.Load)


def _read_names(value: ast.expr | None) -> tuple[str, ...]:
    """Read None, one name or several from a literal.

    Raises:
        NotPlain: It is something else.
    """
    if value is None or isinstance(value, ast.Constant) and value.value is None:
        return ()
    items = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    names = [item.value for item in items if isinstance(item, ast.Constant)]
    texts = tuple(name for name in names if isinstance(name, str) and name)
    if len(texts) < len(items):
        raise NotPlain
    return texts
