"""The query helpers on a real table."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Mapped, Session

from larp_cli.models import (
    Base,
    RowNotFound,
    count,
    exists,
    get_or_raise,
    metadata_for,
    page,
)
from larp_cli.postgres.engine import PoolOptions, create_engine
from larp_cli.postgres.session import session_factory
from larp_cli.postgres.url import normalise_url


class Purse(Base):
    """A table of this test alone."""

    metadata = metadata_for("purses")

    gold: Mapped[int]


@pytest.fixture
def session(database: str) -> Iterator[Session]:
    """A session on a fresh database with this test's table."""
    engine = create_engine(normalise_url(database), PoolOptions(size=1))
    Purse.metadata.create_all(engine)
    with session_factory(engine)() as session:
        yield session
    engine.dispose()


def stored(session: Session, gold: int = 0) -> Purse:
    """Store a purse in a transaction of its own."""
    purse = Purse(gold=gold)
    session.add(purse)
    session.commit()
    return purse


def test_rows_are_counted_and_looked_for(session: Session) -> None:
    """Exists and count answer for the rows that meet all criteria."""
    rich = stored(session, gold=100)
    assert exists(session, Purse, Purse.gold > 50)
    assert not exists(session, Purse, Purse.gold > 500)
    assert count(session, Purse) == 1
    assert count(session, Purse, Purse.id != rich.id) == 0


def test_a_row_that_must_be_there(session: Session) -> None:
    """A key that no row has is named in the error."""
    purse = stored(session)
    missing = uuid.uuid4()

    assert get_or_raise(session, Purse, purse.id) is purse
    with pytest.raises(RowNotFound, match=f"purse {missing} does not exist"):
        get_or_raise(session, Purse, missing)


def test_pages_follow_each_other_without_gap_or_overlap(session: Session) -> None:
    """Pages by key give every row once, also rows of one instant."""
    session.add_all(Purse(gold=number) for number in range(7))
    session.commit()
    seen: list[uuid.UUID] = []
    sizes = []
    after = None
    while True:
        found = page(session, Purse, after=after, limit=3)
        seen += [purse.id for purse in found.items]
        sizes.append(len(found.items))
        after = found.next
        if after is None:
            break

    assert sizes == [3, 3, 1]
    assert len(set(seen)) == 7
    assert page(session, Purse, Purse.gold > 10).next is None
