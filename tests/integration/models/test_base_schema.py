"""The names that the base gives, and what Alembic makes of its models."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import api, compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.orm import Mapped

from larp_cli.models import (
    Base,
    add_updated_at_triggers,
    create_updated_at_trigger,
    drop_updated_at_trigger,
    metadata_for,
    table_name,
)
from larp_cli.postgres.engine import create_engine
from larp_cli.postgres.url import normalise_url
from tests.game import SCHEMA, GameBase, Mood, PlayerCharacter


def constraint_names(engine: sa.Engine, table: str) -> set[str]:
    """Read the names of a table's constraints and indexes from the catalog."""
    query = sa.text(
        "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:t) AND contype <> 'n'"
        " UNION SELECT indexrelid::regclass::name FROM pg_index WHERE indrelid = to_regclass(:t)"
    )
    with engine.connect() as connection:
        names = connection.scalars(query, {"t": f'"{SCHEMA}".{table}'})
        return {name.rpartition(".")[2].strip('"') for name in names}


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


def test_the_type_of_an_enum_lives_in_our_schema() -> None:
    """An enum column's type is made beside its table, so that a reset drops it too."""

    class PaintedBase(Base):
        __abstract__ = True
        metadata = metadata_for(Base.metadata.schema)

    class Painted(PaintedBase):
        mood: Mapped[Mood]

    mood = Painted.__table__.c.mood
    assert mood.type.schema == Base.metadata.schema  # type: ignore[attr-defined]


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
