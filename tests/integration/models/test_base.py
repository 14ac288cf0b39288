"""The declarative base on real tables."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from alembic.autogenerate import api, compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from larp_cli.database.engine import PoolOptions, create_engine
from larp_cli.database.session import session_factory
from larp_cli.database.url import normalise_url
from larp_cli.models import (
    Base,
    JsonArray,
    JsonObject,
    UuidArray,
    add_updated_at_triggers,
    count,
    create_updated_at_trigger,
    drop_updated_at_trigger,
    metadata_for,
    table_name,
)

SCHEMA = "larp game"


class GameBase(Base):
    """Tables of this test alone, so that Base's own metadata stays empty."""

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


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """An engine on a fresh database with this test's tables."""
    engine = create_engine(normalise_url(database), PoolOptions(size=2))
    GameBase.metadata.create_all(engine)
    yield engine
    engine.dispose()


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


def constraint_names(engine: sa.Engine, table: str) -> set[str]:
    """Read the names of a table's constraints and indexes from the catalogue."""
    query = sa.text(
        "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:t) AND contype <> 'n'"
        " UNION SELECT indexrelid::regclass::name FROM pg_index WHERE indrelid = to_regclass(:t)"
    )
    with engine.connect() as connection:
        names = connection.scalars(query, {"t": f'"{SCHEMA}".{table}'})
        return {name.rpartition(".")[2].strip('"') for name in names}


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("Event", "event"),
        ("PlayerCharacter", "player_character"),
        ("HTTPServer", "http_server"),
        ("OAuth2Token", "o_auth2_token"),
        ("EventXP", "event_xp"),
        ("A", "a"),
    ],
)
def test_a_table_is_named_after_its_class(class_name: str, expected: str) -> None:
    """Camel case becomes snake case, and acronyms stay one word."""
    assert table_name(class_name) == expected


def test_tables_are_in_the_schema(engine: sa.Engine) -> None:
    """Every table is in the schema of its metadata, which create_all makes."""
    assert PlayerCharacter.__table__.fullname == "larp game.player_character"  # type: ignore
    assert set(sa.inspect(engine).get_table_names(schema=SCHEMA)) == {
        "game_event",
        "player_character",
    }


def test_the_base_is_in_the_configured_schema() -> None:
    """DATABASE_SCHEMA is read when the base is imported, whatever else is wrong."""
    code = "from larp_cli.models import Base; print(Base.metadata.schema)"
    for environment, expected in (
        ({"DATABASE_SCHEMA": "elsewhere", "ENVIRONMENT": "nonsense"}, "elsewhere"),
        ({}, "larp_manager"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert done.stdout.strip() == expected, done.stderr


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
    """The trigger keeps updated_at true for whoever does not come through SQLAlchemy."""
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


def test_constraints_have_predictable_names(engine: sa.Engine) -> None:
    """Every kind of constraint is named after its table and all its columns."""
    assert constraint_names(engine, "player_character") == {
        "pk_player_character",
        "fk_player_character_event_id_game_event",
        "uq_player_character_name_born",
        "ck_player_character_gold_not_negative",
        "ix_player_character_event_id_name",
        "ex_player_character_name",
    }


def test_long_names_fit_and_stay_as_they_are(database: str) -> None:
    """A name past 63 bytes is shortened the same way each time, so autogenerate is quiet."""
    metadata = metadata_for("long")
    columns = [f"a_rather_long_column_name_{number}" for number in range(4)]
    sa.Table(
        "a_rather_long_table_name",
        metadata,
        *(sa.Column(name, sa.Integer) for name in columns),
        sa.UniqueConstraint(*columns),
        sa.Index(None, *columns),
    )
    engine = create_engine(normalise_url(database))
    metadata.create_all(engine)
    with engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT indexname FROM pg_indexes")).all()
        assert differences(connection, metadata) == []
    engine.dispose()

    long = [name for name in names if "a_rather_long_table_name" in name]
    assert len(long) == 2
    assert all(len(name) <= 63 for name in long)


def differences(connection: sa.Connection, metadata: sa.MetaData) -> Any:
    """Compare as Alembic's autogenerate does, types and defaults included."""
    return compare_metadata(comparison(connection, metadata), metadata)


def comparison(connection: sa.Connection, metadata: sa.MetaData) -> MigrationContext:
    """Configure Alembic as env.py does."""

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "schema" or name == metadata.schema

    return MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_schemas": True,
            "include_name": include_name,
            "target_metadata": metadata,
        },
    )


def test_autogenerate_finds_no_difference(engine: sa.Engine) -> None:
    """Tables made from the models equal the models, types and defaults included."""
    with engine.connect() as connection:
        assert differences(connection, GameBase.metadata) == []


def test_an_autogenerated_revision_has_the_triggers(database: str) -> None:
    """A revision written from the models makes the trigger of each table."""
    engine = create_engine(normalise_url(database))
    with engine.connect() as connection:
        context = comparison(connection, GameBase.metadata)
        script = produce_migrations(context, GameBase.metadata)
        add_updated_at_triggers(context, None, [script])
        rendered = api.render_python_code(script.upgrade_ops_list[0])
    engine.dispose()

    assert rendered.count("CREATE TRIGGER set_updated_at BEFORE UPDATE") == 2
    assert 'ON "larp game"."game_event"' in rendered
    compile(f"def upgrade():\n{rendered}", "revision", "exec")


def test_a_revision_attaches_and_removes_the_trigger(engine: sa.Engine) -> None:
    """The helpers for revisions put the trigger on a table and take it off."""
    query = sa.text(
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(:t) AND NOT tgisinternal"
    )
    found = []
    with engine.connect() as connection:
        op = Operations(MigrationContext.configure(connection))
        table = {"t": f'"{SCHEMA}".game_event'}
        drop_updated_at_trigger(op, "game_event", schema=SCHEMA)
        found.append(connection.scalar(query, table))
        create_updated_at_trigger(op, "game_event", schema=SCHEMA)
        found.append(connection.scalar(query, table))

    assert found == [0, 1]


def test_the_type_of_an_enum_lives_in_our_schema() -> None:
    """An enum column's type is made beside its table, so that a reset drops it too."""

    class PaintedBase(Base):
        __abstract__ = True
        metadata = metadata_for(Base.metadata.schema)

    class Painted(PaintedBase):
        mood: Mapped[Mood]

    mood = Painted.__table__.c.mood
    assert mood.type.schema == Base.metadata.schema  # type: ignore[attr-defined]
