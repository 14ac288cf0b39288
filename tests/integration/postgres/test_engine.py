"""The engine, its pool and its sessions, on a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from larp_cli.errors import ConfigurationError
from larp_cli.postgres import session as sessions
from larp_cli.postgres.engine import PoolExhausted, PoolOptions, check_connection, create_engine
from larp_cli.postgres.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DatabaseMissing,
    ShuttingDown,
    StatementTimeout,
)
from larp_cli.postgres.session import get_db_session, session_factory, session_scope
from larp_cli.postgres.url import normalise_url
from larp_cli.settings import load_settings
from tests.servers import PASSWORD, Server

BACKEND = sa.text("SELECT pg_backend_pid()")


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """An engine with a small pool that does not wait long."""
    engine = create_engine(normalise_url(database), PoolOptions(size=2, timeout=0.2))
    yield engine
    engine.dispose()


@pytest.fixture
def settings_database(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The database that the settings name, with a factory that is closed again."""
    monkeypatch.setenv("DATABASE_URL", database)
    sessions.default_session_factory.cache_clear()
    yield database
    factory = sessions.default_session_factory()
    factory.kw["bind"].dispose()
    sessions.default_session_factory.cache_clear()


def terminate(server: Server, backend: int | None) -> None:
    """End a session as an administrator would, and wait until it is gone."""
    server.execute(f"SELECT pg_terminate_backend({backend}, 5000)")


def test_a_full_pool_is_there_in_two_seconds(database: str) -> None:
    """An engine with the default pool opens all of its connections in time."""
    began = time.monotonic()
    engine = create_engine(normalise_url(database))
    connections = [engine.connect() for _ in range(PoolOptions().size)]
    took = time.monotonic() - began
    for connection in connections:
        connection.close()
    engine.dispose()

    assert took < 2


def test_a_dead_connection_is_replaced(server: Server, engine: sa.Engine) -> None:
    """A connection that died in the pool is noticed before it is handed out."""
    with engine.connect() as connection:
        before = connection.scalar(BACKEND)
    terminate(server, before)

    with engine.connect() as connection:
        assert connection.scalar(BACKEND) not in (None, before)


def test_a_pool_says_why_it_cannot_replace(server: Server, engine: sa.Engine) -> None:
    """A pool whose database went away raises the reason, not a driver's error."""
    with engine.connect() as connection:
        name = connection.scalar(sa.text("SELECT current_database()"))
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")

    with pytest.raises(DatabaseMissing), engine.connect():
        pass


def test_a_session_ended_while_in_use_is_our_own_error(server: Server, engine: sa.Engine) -> None:
    """A connection that dies in use raises our error, and the next one works."""
    with engine.connect() as connection:
        terminate(server, connection.scalar(BACKEND))
        with pytest.raises(ShuttingDown) as caught:
            connection.execute(BACKEND)

    assert caught.value.__cause__ is not None
    with engine.connect() as connection:
        assert connection.scalar(BACKEND)


def test_an_exhausted_pool_is_told_from_a_full_server(engine: sa.Engine) -> None:
    """A pool whose connections all stay in use ends the wait with a hint."""
    with engine.connect(), engine.connect(), pytest.raises(PoolExhausted) as caught:
        check_connection(engine, timeout=5)

    assert caught.value.reason == "too_many_connections"
    assert "DATABASE_POOL_SIZE" in (caught.value.hint or "")


def test_a_check_says_how_long_it_took(database: str, engine: sa.Engine) -> None:
    """Checking an engine or a URL gives the latency in seconds."""
    assert 0 < check_connection(engine) < 5
    assert 0 < check_connection(normalise_url(database)) < 5


def test_a_check_raises_why_not(missing_database: str, dead_database: str) -> None:
    """Checking a database that is not there raises the reason, by engine and by URL."""
    missing, dead = normalise_url(missing_database), normalise_url(dead_database)

    with pytest.raises(DatabaseMissing):
        check_connection(missing)
    with pytest.raises(DatabaseMissing):
        check_connection(create_engine(missing))
    with pytest.raises(ConnectionRefused):
        check_connection(create_engine(dead))


def test_a_check_is_bounded() -> None:
    """A server that never answers costs the check no more than its timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = normalise_url(f"postgresql://larp@127.0.0.1:{listener.getsockname()[1]}/larp")
        for target in (url, create_engine(url)):
            began = time.monotonic()
            with pytest.raises(ConnectTimeout):
                check_connection(target, timeout=0.3)
            assert time.monotonic() - began < 15


def test_the_statement_timeout_holds_in_the_pool(database: str) -> None:
    """Statements of pooled connections are cancelled in time, again after a rollback."""
    engine = create_engine(normalise_url(database), PoolOptions(size=1, statement_timeout=0.05))
    for _ in range(2):
        with engine.connect() as connection, pytest.raises(StatementTimeout):
            connection.execute(sa.text("SELECT pg_sleep(5)"))
    engine.dispose()


def test_no_secret_in_an_engines_words(engine: sa.Engine) -> None:
    """Neither the engine's URL nor its errors hold the password or a statement's values."""
    assert PASSWORD not in f"{engine!r} {engine.url!r}"
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.execute(sa.text("SELECT CAST(:secret AS text) || 1/0"), {"secret": "sesame"})

    assert "sesame" not in str(caught.value)


def test_pool_options_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each DATABASE_* setting of the pool has its option."""
    monkeypatch.setenv("DATABASE_POOL_SIZE", "7")
    monkeypatch.setenv("DATABASE_STATEMENT_TIMEOUT", "1.5")

    options = PoolOptions.from_settings(load_settings())

    assert (options.size, options.max_overflow, options.statement_timeout) == (7, 0, 1.5)


def test_a_scope_commits_or_rolls_back(engine: sa.Engine) -> None:
    """What a scope did is kept if it ends well, and undone as a whole if not."""
    factory = session_factory(engine)
    with session_scope(factory) as session:
        session.execute(sa.text("CREATE TABLE kept (id int PRIMARY KEY)"))
        session.execute(sa.text("INSERT INTO kept VALUES (1)"))
    with pytest.raises(KeyError), session_scope(factory) as session:
        session.execute(sa.text("INSERT INTO kept VALUES (2)"))
        raise KeyError("undo")

    with session_scope(factory) as session:
        assert session.scalars(sa.text("SELECT id FROM kept")).all() == [1]
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_an_error_of_a_statement_stays_sqlalchemys(engine: sa.Engine) -> None:
    """Code that catches IntegrityError finds it."""
    with pytest.raises(IntegrityError), session_scope(session_factory(engine)) as session:
        session.execute(sa.text("CREATE TABLE once (id int PRIMARY KEY)"))
        session.execute(sa.text("INSERT INTO once VALUES (1), (1)"))


def test_an_injected_session_is_for_the_configured_database(settings_database: str) -> None:
    """A framework that drives the generator gets one session, committed at its end."""
    injected = get_db_session()
    session = next(injected)
    session.execute(sa.text("CREATE TABLE injected ()"))
    assert next(injected, None) is None

    with session_scope() as session:
        assert session.scalar(sa.text("SELECT to_regclass('injected') IS NOT NULL"))
        assert session.scalar(sa.text("SELECT current_database()")) in settings_database


def test_an_injected_session_is_rolled_back_on_an_error(settings_database: str) -> None:
    """An error thrown into the generator undoes the work."""
    injected = get_db_session()
    next(injected).execute(sa.text("CREATE TABLE undone ()"))
    with pytest.raises(KeyError):
        injected.throw(KeyError("undo"))  # type: ignore[attr-defined]

    with session_scope() as session:
        assert session.scalar(sa.text("SELECT to_regclass('undone') IS NULL"))


def test_a_session_needs_a_database() -> None:
    """Without DATABASE_URL the default factory says what is missing."""
    sessions.default_session_factory.cache_clear()
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set"), session_scope():
        pass
