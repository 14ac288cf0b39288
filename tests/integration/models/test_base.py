"""The declarative base on real tables: keys, timestamps, and values there and back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from larp_cli.models import count
from larp_cli.postgres.session import session_factory
from tests.game import SCHEMA, GameEvent, Mood, PlayerCharacter


@pytest.fixture
def session(engine: sa.Engine) -> Iterator[Session]:
    """A session on those tables."""
    with session_factory(engine)() as session:
        yield session


def stored(session: Session, **values: Any) -> PlayerCharacter:
    """Store a character in a transaction of its own."""
    character = PlayerCharacter(name=str(uuid.uuid4()), **values)
    session.add(character)
    session.commit()
    return character


def test_a_key_is_a_random_uuid_made_here(session: Session) -> None:
    """A row has its key without asking the database for it."""
    character = stored(session)

    assert isinstance(character.id, uuid.UUID)
    assert character.id.version == 4


def test_timestamps_have_a_time_zone(engine: sa.Engine, session: Session) -> None:
    """Both timestamps are timestamptz, not null, and made by the server."""
    character = stored(session)
    columns = {c["name"]: c for c in sa.inspect(engine).get_columns("game_event", schema=SCHEMA)}

    assert character.created_at == character.updated_at
    assert datetime.now(UTC) - character.created_at < timedelta(minutes=1)
    for name in ("created_at", "updated_at"):
        assert columns[name]["type"].timezone is True  # type: ignore[attr-defined]
        assert columns[name]["nullable"] is False
        assert columns[name]["default"] == "now()"


def test_an_update_through_the_orm_moves_updated_at(session: Session) -> None:
    """The object knows the new updated_at, and it is the one in the table."""
    character = stored(session)
    before = character.updated_at
    character.gold = Decimal("2.00")
    session.commit()
    after = character.updated_at
    session.refresh(character)

    assert before < after == character.updated_at
    assert character.created_at < after


def test_an_update_without_the_trigger_moves_updated_at(session: Session) -> None:
    """Where a table has no trigger, SQLAlchemy sets updated_at by itself."""
    session.execute(sa.text(f'DROP TRIGGER set_updated_at ON "{SCHEMA}".player_character'))
    session.commit()
    character = stored(session)
    before = character.updated_at
    character.gold = Decimal("2.00")
    session.commit()

    assert character.updated_at > before


def test_an_update_in_plain_sql_moves_updated_at(session: Session) -> None:
    """The trigger keeps updated_at current for SQL that does not come from SQLAlchemy."""
    character = stored(session)
    before = character.updated_at
    session.execute(sa.text(f'UPDATE "{SCHEMA}".player_character SET gold = 3'))
    session.commit()
    session.refresh(character)

    assert character.updated_at > before


def test_arrays_and_json_keep_their_types(engine: sa.Engine, session: Session) -> None:
    """Columns of uuid[] and jsonb are what the server has, and come back as they went."""
    friend = uuid.uuid4()
    character = stored(session, friends=[friend], sheet={"a": [1, None]}, log=[1, "x"])
    session.expire_all()

    assert character.friends == [friend]
    assert (character.sheet, character.log) == ({"a": [1, None]}, [1, "x"])
    types = session.execute(
        sa.text("SELECT pg_typeof(friends)::text, pg_typeof(sheet)::text, pg_typeof(log)::text"
                f' FROM "{SCHEMA}".player_character')  # fmt: skip
    ).one()
    assert types == ("uuid[]", "jsonb", "jsonb")


def test_changes_in_place_are_saved(session: Session) -> None:
    """What is appended or set within a list or a dictionary reaches the table."""
    character = stored(session, log=[])
    friend = uuid.uuid4()
    character.friends.append(friend)
    character.sheet["hp"] = 7
    assert character.log is not None
    character.log.append("woke up")
    session.commit()
    session.expire_all()

    assert (character.friends, character.sheet) == ([friend], {"hp": 7})
    assert character.log == ["woke up"]


def test_no_json_is_null(session: Session) -> None:
    """None is SQL's NULL, not JSON's."""
    stored(session, log=None)

    assert count(session, PlayerCharacter, PlayerCharacter.log.is_(sa.null())) == 1


def test_to_dict_gives_copies_of_the_values(session: Session) -> None:
    """The dictionary holds plain Python values, and changing it changes no row."""
    character = stored(session, sheet={"a": {"b": 1}})
    values = character.to_dict(exclude={"log"})
    values["sheet"]["a"]["b"] = 2

    assert list(values)[0] == "id"
    assert list(values)[-2:] == ["created_at", "updated_at"]
    assert "log" not in values
    assert type(values["sheet"]) is dict
    assert values["gold"] == Decimal("1.50")
    assert character.sheet == {"a": {"b": 1}}
    assert not session.dirty


def test_to_dict_is_ready_for_json_on_request(session: Session) -> None:
    """Each type of value becomes what JSON can hold."""
    friend = uuid.uuid4()
    character = stored(session, friends=[friend], born=date(2000, 2, 29), log=[{"x": None}])

    values = json.loads(json.dumps(character.to_dict(json=True), allow_nan=False))

    assert values["id"] == str(character.id)
    assert values["friends"] == [str(friend)]
    assert values["gold"] == "1.50"
    assert values["born"] == "2000-02-29"
    assert values["log"] == [{"x": None}]
    assert datetime.fromisoformat(values["created_at"]) == character.created_at


def test_values_that_json_lacks() -> None:
    """Enums, bytes, intervals, tuples and NaN have a form in JSON."""
    event = GameEvent(title=Mood.CALM)
    unusual = [b"\x00\xff", timedelta(seconds=90), float("nan"), (1, 2.5, True), SimpleNamespace]
    event.title = [Mood.CALM, {Mood.CALM: unusual}]  # type: ignore[assignment]

    assert event.to_dict(json=True)["title"] == [
        "calm",
        {"calm": ["AP8=", 90.0, None, [1, 2.5, True], str(SimpleNamespace)]},
    ]


def test_repr_loads_nothing_and_shows_the_key_alone(session: Session) -> None:
    """A repr of an expired or detached object neither queries nor fails."""
    character = stored(session, sheet={"secret": "sesame"})
    shown = f"<PlayerCharacter id={character.id}>"
    assert repr(character) == shown
    session.expire(character)
    session.close()

    assert repr(character) == shown
    assert repr(GameEvent(title="sesame")) == "<GameEvent id=None>"
