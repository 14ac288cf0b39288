"""A database together with the places where Alembic and larp keep their tables in it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from larp_cli.bookkeeping.tables import Bookkeeping, VersionTable
from larp_cli.postgres.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedDatabase(Database):
    """A database in which the version table and larp's own tables have been located."""

    bookkeeping: Bookkeeping

    @classmethod
    def of(cls, database: Database, bookkeeping: Bookkeeping) -> Self:
        """Add to ``database`` where the tables are."""
        known = {field.name: getattr(database, field.name) for field in fields(Database)}
        return cls(**known, bookkeeping=bookkeeping)

    @property
    def version_table(self) -> VersionTable:
        """The table in which Alembic keeps the revisions."""
        return self.bookkeeping.version_table

    @property
    def schema(self) -> str:
        """Schema of the version table, which larp backs up, drops and restores."""
        return self.version_table.schema
