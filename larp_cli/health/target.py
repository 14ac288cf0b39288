"""The database that the health checks examine. Importing this does not import Alembic."""

from __future__ import annotations

from dataclasses import dataclass

from larp_cli.migrations.graph import RevisionGraph
from larp_cli.postgres.url import DatabaseUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTarget:
    """A database, and what its code expects of it."""

    url: DatabaseUrl
    schema: str | None
    """Schema of the version table; None if the session's search path decides."""
    version_table: str
    graph: RevisionGraph
    """The revisions on disk."""
    ledger_schemas: tuple[str, ...]
    """Schemas to search for the ledger, besides the schema of the version table."""
    extensions: tuple[str, ...] = ()
    """Extensions that larp uses if the server has them."""
    warnings: tuple[str, ...] = ()
    """Warnings about the configuration."""
