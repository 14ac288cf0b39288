"""The heads on disk, and where the scripts are, read without Alembic.

Importing Alembic and SQLAlchemy takes longer than all the rest of a migration that has
nothing to do, and that is what a container does at almost every start. Each function here
answers only what the files say in plain literals; None leaves the question to Alembic.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path
from typing import Any

type Graph = Mapping[str, tuple[str, ...]]
"""Each revision with those that it builds on."""

_ASSIGNMENT = re.compile(r"^(revision|down_revision|depends_on)\b[^=\n]*=[ \t]*(.*)$", re.MULTILINE)
_TEXT = re.compile(r"""(?P<quote>["'])(?P<text>[^"'\\]*)(?P=quote)\s*(?:#.*)?""")
"""A plain string: what nearly every value is, and quicker to read so than as Python."""
_LOCATIONS = ("version_locations", "recursive_version_locations", "sourceless")


def graph_on_disk(versions: Path) -> Graph | None:
    """Read the graph of the revision files in a directory; None where Alembic must be asked."""
    graph: dict[str, tuple[str, ...]] = {}
    try:
        for path in versions.glob("*.py"):
            if path.name.startswith((".#", "__init__")):
                continue  # as Alembic does
            values = dict(_assignments(path.read_text(encoding="utf-8")))
            if values.get("depends_on"):
                return None  # a stamp then stands for more than what it builds on
            down = values["down_revision"]
            graph[values["revision"]] = (down,) if isinstance(down, str) else tuple(down or ())
    except (OSError, KeyError, TypeError, ValueError, SyntaxError):
        return None
    return graph


def heads_of(graph: Graph) -> frozenset[str]:
    """Return the revisions on which no other builds."""
    return frozenset(graph).difference(*graph.values())


def _assignments(text: str) -> Iterator[tuple[str, Any]]:
    for name, literal in _ASSIGNMENT.findall(text):
        plain = _TEXT.fullmatch(literal)
        yield name, plain["text"] if plain else ast.literal_eval(literal)


def script_directory(config_file: Path) -> Path | None:
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
