"""The declarative base: keys, timestamps, names and schema that all tables share.

The schema is in the metadata itself, as a fixed name read once when this is imported: a
process works on one schema. Alembic's autogenerate then compares like with like; it knows
nothing of a ``schema_translate_map``, and would have to be told of a ``search_path``.
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

# Names are needed to change or drop a constraint later, so no constraint goes without:
# https://alembic.sqlalchemy.org/en/latest/naming.html. All the columns are in the name;
# past PostgreSQL's 63 bytes SQLAlchemy shortens it, and ends it in a hash of the whole.
NAMING_CONVENTION: dict[Any, str] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
    ExcludeConstraint: "ex_%(table_name)s_%(column_0_N_name)s",
}


def configured_schema() -> str:
    """Read DATABASE_SCHEMA alone, so that importing a model fails for no other setting."""
    given = read_sources().values.get("database_schema")
    return str(given or Settings.model_fields["database_schema"].default)


def metadata_for(schema: str | None) -> sa.MetaData:
    """Make metadata of one schema, with our names, whose ``create_all`` makes triggers too."""
    metadata = sa.MetaData(schema=schema, naming_convention=NAMING_CONVENTION)
    create_triggers_with(metadata)
    return metadata


def table_name(class_name: str) -> str:
    """Turn ``HTTPServer`` into ``http_server``: snake case, and the singular it is in."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()


class Base(DeclarativeBase):
    """What every table has.

    The table is named by `table_name`; in an inheritance it is the parent's, unless the
    class sets ``__tablename__`` itself.
    """

    metadata = metadata_for(configured_schema())
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: sa.DateTime(timezone=True),
        # In our schema like the table, or it would outlive a reset in ``public``.
        Enum: sa.Enum(Enum, schema=configured_schema()),
    }
    # What the database makes comes back with INSERT and UPDATE, not by another SELECT.
    __mapper_args__: Any = {"eager_defaults": True}

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), sort_order=1000)
    # Set by SQLAlchemy, and by a trigger for those who do not come through it. Both mean
    # the start of the transaction by the database's clock, and so never disagree.
    updated_at: Mapped[datetime] = mapped_column(
        server_default=sa.func.now(), onupdate=sa.func.now(), sort_order=1001
    )

    @declared_attr.directive
    @classmethod
    def __tablename__(cls) -> str | None:
        """Name the table after the class."""
        return None if has_inherited_table(cls) else table_name(cls.__name__)

    def to_dict(self, json: bool = False, *, exclude: Collection[str] = ()) -> dict[str, Any]:
        """Give the columns by attribute name; with ``json`` as ``json.dumps`` takes them.

        ``exclude`` leaves attributes out. Relationships are never followed.
        """
        convert = json_ready if json else plain
        keys = [attribute.key for attribute in sa.inspect(type(self)).column_attrs]
        return {key: convert(getattr(self, key)) for key in keys if key not in exclude}

    def __repr__(self) -> str:
        """Show class and key alone: nothing is loaded for it, and nothing private shown."""
        identity = sa.inspect(self).identity or (self.__dict__.get("id"),)
        return f"<{type(self).__name__} id={', '.join(map(str, identity))}>"
