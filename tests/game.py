"""Models of a game, for the tests of the declarative base."""

from __future__ import annotations

import enum
import uuid
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from larp_cli.models import Base, JsonArray, JsonObject, UuidArray, metadata_for

SCHEMA = "larp game"


class GameBase(Base):
    """Tables of these tests alone, so that Base's own metadata stays empty."""

    __abstract__ = True
    metadata = metadata_for(SCHEMA)


class Mood(enum.Enum):
    """How a character feels."""

    CALM = "calm"


class GameEvent(GameBase):
    """Something that happens."""

    title: Mapped[str]


class PlayerCharacter(GameBase):
    """A table with one of everything."""

    __table_args__ = (
        sa.UniqueConstraint("name", "born"),
        sa.CheckConstraint("gold >= 0", name="gold_not_negative"),
        sa.Index(None, "event_id", "name"),
        ExcludeConstraint(("name", "="), using="btree"),
    )

    name: Mapped[str]
    event_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(GameEvent.id))
    gold: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2), default=Decimal("1.50"))
    born: Mapped[date | None]
    friends: Mapped[UuidArray] = mapped_column(default=list)
    sheet: Mapped[JsonObject] = mapped_column(default=dict)
    log: Mapped[JsonArray | None]
