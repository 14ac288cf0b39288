"""SQLAlchemy sessions: one unit of work each, committed or rolled back as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from larp_cli.errors import ConfigurationError
from larp_cli.postgres.engine import PoolOptions, create_engine
from larp_cli.postgres.url import normalise_url
from larp_cli.settings import load_settings


def session_factory(engine: sa.Engine) -> sessionmaker[Session]:
    """Return a session factory for an engine.

    Objects stay usable after a commit. By default SQLAlchemy expires them: each would be loaded
    again, or fail once the session is closed.
    """
    return sessionmaker(engine, expire_on_commit=False)


@cache
def default_session_factory() -> sessionmaker[Session]:
    """Return the session factory for the configured database, created once per process.

    Raises:
        ConfigurationError: The settings are invalid, or DATABASE_URL is not set.
    """
    settings = load_settings()
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set, and a session needs a running database",
            hint="larp config template > .env",
        )
    url = normalise_url(settings.database_url.get_secret_value())
    return session_factory(create_engine(url, PoolOptions.from_settings(settings)))


@contextmanager
def session_scope(factory: sessionmaker[Session] | None = None) -> Iterator[Session]:
    """Open a session for one unit of work: commit at the end, roll back on an error, close.

    Without a factory it uses the configured database.
    """
    with (factory or default_session_factory()).begin() as session:
        yield session


def get_db_session() -> Iterator[Session]:
    """Yield a session like `session_scope`, for dependency injection.

    It takes no parameters, because FastAPI's ``Depends`` would read them from the request.
    """
    with session_scope() as session:
        yield session
