"""The few queries that every table wants. To get a row by its key is ``session.get``."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from larp_cli.errors import CommandFailed
from larp_cli.models.base import Base

Model = TypeVar("Model", bound=Base)
type Criterion = sa.ColumnElement[bool]


class RowNotFound(CommandFailed):
    """No row has that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ended: the last row's place in the order."""

    created_at: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Model]):
    """A stretch of the rows, oldest first."""

    items: tuple[Model, ...]
    next: Position | None
    """Where the next page begins; None after the last."""


def get_or_raise(session: Session, model: type[Model], key: uuid.UUID) -> Model:
    """Get the row with that key.

    Raises:
        RowNotFound: there is none.
    """
    row = session.get(model, key)
    if row is None:
        raise RowNotFound(f"there is no {model.__tablename__} with the id {key}")
    return row


def exists(session: Session, model: type[Base], *criteria: Criterion) -> bool:
    """Tell whether any row meets all the criteria."""
    query = sa.select(sa.exists(sa.select(sa.literal(1)).select_from(model).where(*criteria)))
    return bool(session.scalar(query))


def count(session: Session, model: type[Base], *criteria: Criterion) -> int:
    """Count the rows that meet all the criteria. Reads every one of them."""
    query = sa.select(sa.func.count()).select_from(model).where(*criteria)
    return session.scalar(query) or 0


def page(
    session: Session,
    model: type[Model],
    *criteria: Criterion,
    after: Position | None = None,
    limit: int = 100,
) -> Page[Model]:
    """Get up to ``limit`` rows that follow ``after``, in the order they were made.

    By key, not by OFFSET: the hundredth page costs what the first does, given an index on
    (created_at, id), and rows that come or go meanwhile shift nothing.
    """
    place = sa.tuple_(model.created_at, model.id)
    query = sa.select(model).where(*criteria).order_by(model.created_at, model.id)
    if after is not None:
        query = query.where(place > sa.tuple_(after.created_at, after.id))
    rows = session.scalars(query.limit(limit + 1)).all()
    items = tuple(rows[:limit])
    more = len(rows) > limit and items
    last = Position(created_at=items[-1].created_at, id=items[-1].id) if more else None
    return Page(items=items, next=last)
