"""Annotations for columns of PostgreSQL types.

Example: ``members: Mapped[UuidArray] = mapped_column(default=list)``. SQLAlchemy saves changes
made in place one level deep. To change a nested value, assign a new one.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import mapped_column

# Store None as SQL NULL. By default SQLAlchemy writes JSON null, which IS NOT NULL.
_JSONB = JSONB(none_as_null=True)

UuidArray = Annotated[
    list[uuid.UUID], mapped_column(MutableList.as_mutable(ARRAY(sa.Uuid(), dimensions=1)))
]
"""``uuid[]``."""

JsonObject = Annotated[dict[str, Any], mapped_column(MutableDict.as_mutable(_JSONB))]
"""``jsonb`` that holds an object."""

JsonArray = Annotated[list[Any], mapped_column(MutableList.as_mutable(JSONB(none_as_null=True)))]
"""``jsonb`` that holds an array."""
