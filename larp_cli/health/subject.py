"""What is looked at, and what is expected of it. Nothing here needs Alembic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from larp_cli.errors import ConfigurationError
from larp_cli.postgres.url import DatabaseUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A database, and what its code expects of it."""

    url: DatabaseUrl
    schema: str | None
    """Schema of the version table; None where the session's search path decides."""
    version_table: str
    graph: Mapping[str, tuple[str, ...]]
    """The revisions on disk, each with those that it builds on; in the order of `ordered`."""
    ledger_schemas: tuple[str, ...]
    """Where the ledger may be; the schema of the version table is looked at as well."""
    extensions: tuple[str, ...] = ()
    """Extensions that are of use, where the server has them."""
    warnings: tuple[str, ...] = ()
    """What is doubtful about the configuration."""

    def pending(self, current: tuple[str, ...]) -> tuple[str, ...]:
        """List the revisions that a database with these stamps does not have, oldest first.

        Nothing where it is ahead: what an unknown stamp builds on is not known here.
        """
        if self.unknown(current):
            return ()
        applied = set(current)
        todo = list(current)
        while todo:
            below = [item for item in self.graph.get(todo.pop(), ()) if item not in applied]
            applied.update(below)
            todo += below
        return tuple(item for item in self.graph if item not in applied)

    def unknown(self, current: tuple[str, ...]) -> tuple[str, ...]:
        """List the stamps that no revision on disk stands for."""
        return tuple(item for item in current if item not in self.graph)


def ordered(graph: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Put revisions into an order in which each comes after those that it builds on.

    Raises:
        ConfigurationError: They build on each other in a circle.
    """
    try:
        order = TopologicalSorter(dict(sorted(graph.items()))).static_order()
        return {name: graph[name] for name in order if name in graph}
    except CycleError as error:
        raise ConfigurationError(
            f"the revisions build on each other in a circle: {' → '.join(error.args[1])}",
            hint="correct down_revision in one of them",
        ) from error
