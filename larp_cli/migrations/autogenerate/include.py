"""Which objects of a database are ours to compare with the models."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Literal

from larp_cli.bookkeeping.tables import BOOKKEEPING_TABLES

type _Kind = Literal[
    "schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint"
]
type _Parents = MutableMapping[
    Literal["schema_name", "table_name", "schema_qualified_table_name"], str | None
]
type IncludeName = Callable[[str | None, str, _Parents], bool]


def include_name(schema: str) -> IncludeName:
    """Make Alembic's filter by name: our schema only, without larp's own tables.

    It works on names before anything is read from the catalog, so the tables of others
    cost nothing, and are never proposed to be dropped.
    """

    def include(name: str | None, kind: str, parents: _Parents) -> bool:
        # Alembic knows the connection's default schema as None.
        if kind == "schema":
            return (name or "public") == schema
        if kind == "table":
            owner = parents["schema_name"] or "public"
            return owner == schema and name not in BOOKKEEPING_TABLES
        return True

    return include
