"""What is looked at, and what is expected of it. Nothing here needs Alembic."""

from __future__ import annotations

from dataclasses import dataclass

from larp_cli.migrations.graph import RevisionGraph
from larp_cli.postgres.url import DatabaseUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTarget:
    """A database, and what its code expects of it."""

    url: DatabaseUrl
    schema: str | None
    """Schema of the version table; None where the session's search path decides."""
    version_table: str
    graph: RevisionGraph
    """The revisions on disk."""
    ledger_schemas: tuple[str, ...]
    """Where the ledger may be; the schema of the version table is looked at as well."""
    extensions: tuple[str, ...] = ()
    """Extensions that are of use, where the server has them."""
    warnings: tuple[str, ...] = ()
    """What is doubtful about the configuration."""
