"""Contract with SQLAlchemy: a connection without a server hands everything to a function."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from larp_cli.migrations.lint.sqlalchemy_api import StatementConnection


@pytest.fixture
def given() -> list[tuple[Any, Any]]:
    """What the function was given."""
    return []


@pytest.fixture
def connection(given: list[tuple[Any, Any]]) -> StatementConnection:
    """A connection of our dialect."""

    def execute(statement: Any, parameters: Any = None) -> str:
        given.append((statement, parameters))
        return "result"

    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    return StatementConnection(dialect, execute)


def test_a_statement_comes_with_its_parameters(
    connection: StatementConnection, given: list[tuple[Any, Any]]
) -> None:
    """And the function's result is that of the statement."""
    statement = sa.text("SELECT :one")

    assert connection.execute(statement, {"one": 1}) == "result"
    assert connection.execute(statement) == "result"
    assert given == [(statement, {"one": 1}), (statement, None)]


def test_objects_are_created_without_a_look_at_the_database(
    connection: StatementConnection, given: list[tuple[Any, Any]]
) -> None:
    """A table, its type and its index become statements, in this order."""
    metadata = sa.MetaData()
    mood = sa.Enum("calm", name="mood")
    sa.Table("hero", metadata, sa.Column("mood", mood, index=True))

    metadata.create_all(connection)

    written = [str(statement.compile(dialect=connection.dialect)) for statement, _ in given]
    words = [" ".join(text.split()[:2]) for text in written]
    assert words == ["CREATE TYPE", "CREATE TABLE", "CREATE INDEX"]


def test_the_dialect_is_the_one_that_was_given(connection: StatementConnection) -> None:
    """Revisions ask for it, and a connection of a connection is the same one."""
    assert connection.dialect.name == connection.engine.name == "postgresql"
    assert connection.connect() is connection


def test_what_it_lacks_is_an_attribute_error(connection: StatementConnection) -> None:
    """A subclass finds out by ``__getattr__`` what a revision wants of a real connection."""
    for name in ("in_transaction", "scalar", "get_isolation_level", "info"):
        assert not hasattr(connection, name)
