"""Common queries: count, exists, keyset pages. To fetch a row by key, use ``session.get``."""

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
    """No row has the requested key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a page's last row in the sort order."""

    created_at: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Model]):
    """One page of rows, oldest first."""

    items: tuple[Model, ...]
    next: Position | None
    """Pass this as ``after`` to get the next page; None on the last page."""


def get_or_raise(session: Session, model: type[Model], key: uuid.UUID) -> Model:
    """Return the row with this key.

    Raises:
        RowNotFound: No row has this key.
    """
    row = session.get(model, key)
    if row is None:
        raise RowNotFound(f"{model.__tablename__} {key} does not exist")
    return row


def exists(session: Session, model: type[Base], *criteria: Criterion) -> bool:
    """Return whether any row matches all criteria."""
    query = sa.select(sa.exists(sa.select(sa.literal(1)).select_from(model).where(*criteria)))
    return bool(session.scalar(query))


def count(session: Session, model: type[Base], *criteria: Criterion) -> int:
    """Count the rows that match all criteria. PostgreSQL reads every matching row."""
    query = sa.select(sa.func.count()).select_from(model).where(*criteria)
    return session.scalar(query) or 0


def page(
    session: Session,
    model: type[Model],
    *criteria: Criterion,
    after: Position | None = None,
    limit: int = 100,
) -> Page[Model]:
    """Return up to ``limit`` rows after a position, ordered by creation time.

    Pages by key rather than OFFSET: with an index on (created_at, id) every page costs the same,
    and concurrent inserts and deletes do not shift rows between pages.
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
