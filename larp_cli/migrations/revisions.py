"""What Alembic knows about the revisions of a project, as larp's own facts."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.migrations.graph import (
    RevisionGraph,
    find_ancestors,
    find_heads,
    find_unknown,
)
from larp_cli.results import History, HistoryEntry, Revision

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory


def load_graph(script: ScriptDirectory) -> RevisionGraph:
    """Ask Alembic for the graph, in the order in which it would apply the revisions."""
    oldest_first = list(script.walk_revisions())[::-1]
    return RevisionGraph(
        {item.revision: _names(item.down_revision) for item in oldest_first},
        {
            item.revision: tuple(
                script.get_revision(name).revision for name in _names(item.dependencies)
            )
            for item in oldest_first
            if item.dependencies
        },
    )


def describe_revision(item: Script) -> Revision:
    """State the facts of one revision file."""
    return Revision(
        revision=item.revision,
        down_revisions=_names(item.down_revision),
        description=item.doc,
        path=Path(item.path),
    )


def describe_history(script: ScriptDirectory, stamps: tuple[str, ...]) -> History:
    """List the revisions, newest first, and which of them a database with these stamps has."""
    graph = load_graph(script)
    applied = find_ancestors(graph, stamps)
    others = None if find_unknown(graph, stamps) else False
    heads = find_heads(graph)
    return History(
        current=stamps,
        revisions=tuple(
            HistoryEntry(
                revision=item.revision,
                down_revisions=_names(item.down_revision),
                description=item.doc,
                applied=True if item.revision in applied else others,
                head=item.revision in heads,
                created=_read_date(item),
            )
            for item in script.walk_revisions()
        ),
    )


def _read_date(item: Script) -> datetime | None:
    """Read when the file was made, from the docstring that Alembic's template writes."""
    written = re.search(r"^Create Date: (.+)$", item.module.__doc__ or "", re.MULTILINE)
    try:
        return datetime.fromisoformat(written[1].strip()) if written else None
    except ValueError:
        return None


def _names(given: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)
