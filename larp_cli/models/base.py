"""The declarative base: the key, timestamps, constraint names and schema of every table.

The schema name is part of the metadata and is read once, at import: a process works on one
schema. Alembic's autogenerate needs this, because it ignores ``schema_translate_map`` and does
not know the ``search_path``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    declared_attr,
    has_inherited_table,
    mapped_column,
)

from larp_cli.models.serialise import json_ready, plain
from larp_cli.models.triggers import create_triggers_with
from larp_cli.settings import Settings, read_sources

# Every constraint gets a name, because changing or dropping it later requires one:
# https://alembic.sqlalchemy.org/en/latest/naming.html. The name lists all columns. SQLAlchemy
# shortens names longer than PostgreSQL's 63 bytes and appends a hash.
NAMING_CONVENTION: dict[Any, str] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
    ExcludeConstraint: "ex_%(table_name)s_%(column_0_N_name)s",
}


def configured_schema() -> str:
    """Read DATABASE_SCHEMA only, so that another invalid setting cannot break an import."""
    given = read_sources().values.get("database_schema")
    return str(given or Settings.model_fields["database_schema"].default)


def metadata_for(schema: str | None) -> sa.MetaData:
    """Make the metadata for one schema; its ``create_all`` also creates the triggers."""
    metadata = sa.MetaData(schema=schema, naming_convention=NAMING_CONVENTION)
    create_triggers_with(metadata)
    return metadata


def table_name(class_name: str) -> str:
    """Convert a class name to snake case: ``HTTPServer`` becomes ``http_server``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()


class Base(DeclarativeBase):
    """The columns and conventions that all tables share.

    `table_name` names the table. A subclass of a model shares its parent's table unless it
    sets ``__tablename__``.
    """

    metadata = metadata_for(configured_schema())
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: sa.DateTime(timezone=True),
        # Create the type in the table's schema. In ``public`` it would survive a reset.
        Enum: sa.Enum(Enum, schema=configured_schema()),
    }
    # Return server-generated values from INSERT and UPDATE, without an extra SELECT.
    __mapper_args__: Any = {"eager_defaults": True}

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), sort_order=1000)
    # SQLAlchemy sets it, and a trigger does for SQL that comes from elsewhere. Both use the
    # transaction's start time on the database's clock, so they agree.
    updated_at: Mapped[datetime] = mapped_column(
        server_default=sa.func.now(), onupdate=sa.func.now(), sort_order=1001
    )

    @declared_attr.directive
    @classmethod
    def __tablename__(cls) -> str | None:
        """Name the table after the class."""
        return None if has_inherited_table(cls) else table_name(cls.__name__)

    def to_dict(self, json: bool = False, *, exclude: Collection[str] = ()) -> dict[str, Any]:
        """Return the column values by attribute name, without those in ``exclude``.

        With ``json``, convert the values for ``json.dumps``. Relationships are not followed.
        """
        convert = json_ready if json else plain
        keys = [attribute.key for attribute in sa.inspect(type(self)).column_attrs]
        return {key: convert(getattr(self, key)) for key in keys if key not in exclude}

    def __repr__(self) -> str:
        """Show only the class and key: this loads nothing and reveals no data."""
        identity = sa.inspect(self).identity or (self.__dict__.get("id"),)
        return f"<{type(self).__name__} id={', '.join(map(str, identity))}>"
