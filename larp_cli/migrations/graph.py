"""The graph of a project's revisions: what is applied, pending or unknown.

A database is stamped with some revisions, and a stamp includes everything that its revision
builds or depends on. Where the graph comes from does not matter here: the files, read by
`larp_cli.migrations.revision_reader`, or Alembic. Nothing here imports Alembic or SQLAlchemy,
because the health server stays small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from larp_cli.errors import ConfigurationError
from larp_cli.results import DatabaseState


@dataclass(frozen=True, slots=True)
class RevisionGraph:
    """Revisions in an order in which they can be applied."""

    down_revisions: Mapping[str, tuple[str, ...]]
    """Each revision with those that it follows; several for a merge."""
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Revisions that depend on others beside the ones that they follow, with those."""

    def parents(self, revision: str) -> tuple[str, ...]:
        """Return what has to be applied before a revision."""
        return (*self.down_revisions[revision], *self.depends_on.get(revision, ()))


def sort_graph(graph: RevisionGraph) -> RevisionGraph:
    """Put the revisions into an order in which each comes after what it needs.

    Raises:
        ConfigurationError: A revision needs one that does not exist, or needs itself.
    """
    order: dict[str, None] = {}
    for newest in reversed(list(graph.down_revisions)):
        path = dict.fromkeys([newest] if newest not in order else [])
        while path:
            last = next(reversed(path))
            todo = [item for item in graph.parents(last) if item not in order]
            if todo:
                _require_revision(graph, path, todo[-1])
                path[todo[-1]] = None
            else:
                order[last] = path.pop(last)
    return RevisionGraph({item: graph.down_revisions[item] for item in order}, graph.depends_on)


def find_heads(graph: RevisionGraph) -> tuple[str, ...]:
    """Find the revisions that no other follows, as ``alembic heads`` lists them."""
    followed = {item for parents in graph.down_revisions.values() for item in parents}
    return tuple(sorted(graph.down_revisions.keys() - followed))


def find_effective_heads(graph: RevisionGraph) -> frozenset[str]:
    """Find the stamps of a database to which every revision was applied.

    A head on which another branch depends is not among them: the other's stamp includes it.
    """
    needed = {item for revision in graph.down_revisions for item in graph.parents(revision)}
    return frozenset(graph.down_revisions.keys() - needed)


def find_ancestors(graph: RevisionGraph, revisions: Iterable[str]) -> set[str]:
    """Collect the known ones among ``revisions``, with everything that they need."""
    found: set[str] = set()
    todo = [revision for revision in revisions if revision in graph.down_revisions]
    while todo:
        revision = todo.pop()
        if revision not in found:
            found.add(revision)
            todo.extend(graph.parents(revision))
    return found


def find_unknown(graph: RevisionGraph, stamps: Iterable[str]) -> tuple[str, ...]:
    """List the stamps for which there is no revision."""
    return tuple(sorted(set(stamps) - graph.down_revisions.keys()))


def find_pending(graph: RevisionGraph, stamps: Iterable[str]) -> tuple[str, ...]:
    """List the revisions that a database with these stamps lacks, oldest first.

    Nothing where a stamp is unknown: which of the revisions it includes is unknown too.
    """
    stamps = tuple(stamps)
    if find_unknown(graph, stamps):
        return ()
    applied = find_ancestors(graph, stamps)
    return tuple(item for item in graph.down_revisions if item not in applied)


def find_state(graph: RevisionGraph, stamps: tuple[str, ...]) -> DatabaseState:
    """Compare the stamps of a database with the revisions."""
    if find_unknown(graph, stamps):
        return DatabaseState.AHEAD
    if not find_pending(graph, stamps):
        return DatabaseState.AT_HEAD
    return DatabaseState.BEHIND if stamps else DatabaseState.NOT_INITIALISED


def has_every_revision(graph: RevisionGraph, stamps: tuple[str, ...]) -> bool:
    """Check that the stamps are exactly those of a database to which everything was applied.

    False also where one stamp includes another: Alembic refuses to migrate such a database.
    """
    return bool(stamps) and find_effective_heads(graph) == frozenset(stamps)


def _require_revision(graph: RevisionGraph, path: dict[str, None], revision: str) -> None:
    """Refuse a revision that is missing, or that needs itself."""
    if revision not in graph.down_revisions:
        needing = next(reversed(path))
        raise ConfigurationError(
            f"revision {needing} needs {revision}, and no revision file has that identifier",
            hint=f"restore the file of {revision}, or correct down_revision in {needing}",
        )
    if revision in path:
        way = list(path)
        circle = " → ".join([*way[way.index(revision) :], revision])
        raise ConfigurationError(
            f"the revisions build on each other in a circle: {circle}",
            hint="correct down_revision in one of them",
        )
