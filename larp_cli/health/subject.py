"""What is looked at, and what is expected of it. Nothing here needs Alembic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from larp_cli.database.url import DatabaseUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A database, and what its code expects of it."""

    url: DatabaseUrl
    schema: str | None
    """Schema of the version table; None where the session's search path decides."""
    version_table: str
    graph: Mapping[str, tuple[str, ...]]
    """The revisions on disk, each with those that it builds on."""
    ledger_schemas: tuple[str, ...]
    """Where the ledger may be; the schema of the version table is looked at as well."""
    extensions: tuple[str, ...] = ()
    """Extensions that are of use, where the server has them."""
    warnings: tuple[str, ...] = ()
    """What is doubtful about the configuration."""

    def pending(self, current: tuple[str, ...]) -> tuple[str, ...]:
        """List the revisions that a database with these stamps does not have, oldest first."""
        applied = set(current)
        todo = list(current)
        while todo:
            below = [item for item in self.graph.get(todo.pop(), ()) if item not in applied]
            applied.update(below)
            todo += below
        return tuple(item for item in self._oldest_first() if item not in applied)

    def unknown(self, current: tuple[str, ...]) -> tuple[str, ...]:
        """List the stamps that no revision on disk stands for."""
        return tuple(item for item in current if item not in self.graph)

    def _oldest_first(self) -> list[str]:
        order: dict[str, None] = {}
        todo = sorted(self.graph, reverse=True)
        while todo:
            below = [item for item in self.graph.get(todo[-1], ()) if item in self.graph]
            missing = [item for item in below if item not in order]
            if missing:
                todo += missing
            else:
                order.setdefault(todo.pop())
        return list(order)
