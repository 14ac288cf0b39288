"""Columns of PostgreSQL's own types, to be written as annotations.

``members: Mapped[UuidArray] = mapped_column(default=list)``. What changes in place is
noticed and saved, one level deep; a change further inside needs a new value assigned.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import mapped_column

# None is SQL's NULL; SQLAlchemy would else write JSON's null, which IS NOT NULL.
_JSONB = JSONB(none_as_null=True)

UuidArray = Annotated[
    list[uuid.UUID], mapped_column(MutableList.as_mutable(ARRAY(sa.Uuid(), dimensions=1)))
]
"""``uuid[]``."""

JsonObject = Annotated[dict[str, Any], mapped_column(MutableDict.as_mutable(_JSONB))]
"""``jsonb`` that holds an object."""

JsonArray = Annotated[list[Any], mapped_column(MutableList.as_mutable(JSONB(none_as_null=True)))]
"""``jsonb`` that holds an array."""
