"""Find out where an ``env.py`` keeps its version table, without running it.

Running it imports Alembic and SQLAlchemy, and usually there is nothing to migrate. What is
read here decides only whether something is pending, and which mutex to wait for. Before
anything runs, `larp_cli.migrations.control.ControlSession.relocate` asks the environment itself.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from larp_cli.bookkeeping.tables import DEFAULT_VERSION_TABLE

type WrittenVersionTable = tuple[str | None, str]
"""Schema, or None if the session's search path decides; and name."""

_OFFLINE = {"url", "dialect_name", "literal_binds"}
"""Options of a ``configure()`` that writes SQL, and works on no connection."""

_MOVING = {
    "default_schema_name",
    "exec_driver_sql",
    "execute",
    "execution_options",
    "listen",
    "listens_for",
    "scalar",
    "scalars",
}
"""Names of what may change where a session looks for a table."""

_LOOPS = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp)


def parse_version_table(environment: Path) -> WrittenVersionTable | None:
    """Read the place of the version table; None if only running the ``env.py`` tells.

    An ``env.py`` can be read if it passes the connection that it is given to ``configure()``,
    once, names the place in plain literals, and does nothing else with the connection.
    Source: Alembic's documentation, "Sharing a Connection across one or more programmatic
    migration commands".
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # Python reports it when it runs it
            tree = ast.parse(environment.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return None
    online = _Online(tree)
    configured = list(_calls(online.walk(), "configure"))
    if len(configured) != 1 or not online.hands_over(configured[0]):
        return None
    return _place({option.arg: option.value for option in configured[0].keywords})


class _Online:
    """The parts of an ``env.py`` that run when a connection is handed to it."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        self._local = {function.name for function in functions}
        self._offline = {id(function) for function in functions if _is_offline(function)}

    def walk(self) -> Iterator[ast.AST]:
        """Visit every node, without the functions that only write SQL."""
        todo: list[ast.AST] = [self._tree]
        while todo:
            node = todo.pop()
            yield node
            todo += [
                below for below in ast.iter_child_nodes(node) if id(below) not in self._offline
            ]

    def hands_over(self, configure: ast.Call) -> bool:
        """Look whether the connection goes from ``attributes`` to ``configure`` untouched."""
        options = {option.arg: option.value for option in configure.keywords}
        connection = options.get("connection")
        if None in options or not isinstance(connection, ast.Name):
            return False  # options or a connection that come from somewhere else
        words = {_word(node) for node in self.walk()}
        names = {connection.id, *self._handed()}
        return (
            "attributes" in words
            and not words & _MOVING
            and not any("search_path" in word for word in words)
            and not any(self._lends(node, names) for node in self.walk())
        )

    def _handed(self) -> Iterator[str]:
        """Collect the names under which the connection goes around."""
        for node in self.walk():
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value:
                if any(_word(below) == "attributes" for below in ast.walk(node.value)):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    yield from (_word(target) for target in targets)
            elif isinstance(node, ast.Call) and _word(node.func) in self._local:
                yield from (_word(argument) for argument in node.args)

    def _lends(self, node: ast.AST, names: set[str]) -> bool:
        """Look whether code from elsewhere gets the connection, or a loop repeats the work."""
        if isinstance(node, _LOOPS):
            return any(_calls(ast.walk(node), "configure"))
        if not isinstance(node, ast.Call) or _word(node.func) in self._local | {"configure"}:
            return False
        given = [*node.args, *(option.value for option in node.keywords)]
        return any(isinstance(value, ast.Name) and value.id in names for value in given)


def _place(given: dict[str | None, ast.expr]) -> WrittenVersionTable | None:
    places = [given.get(name) for name in ("version_table_schema", "version_table")]
    if any(place is not None and not isinstance(place, ast.Constant) for place in places):
        return None
    schema, table = (place.value if isinstance(place, ast.Constant) else None for place in places)
    return (str(schema) if schema else None, str(table) if table else DEFAULT_VERSION_TABLE)


def _is_offline(function: ast.FunctionDef) -> bool:
    calls = list(_calls(ast.walk(function), "configure"))
    return bool(calls) and all(
        _OFFLINE & {option.arg for option in call.keywords} for call in calls
    )


def _calls(nodes: Iterable[ast.AST], name: str) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and _word(node.func) == name:
            yield node


def _word(node: ast.AST) -> str:
    """Return the name, attribute or text that a node stands for."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""
