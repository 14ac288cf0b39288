"""Sessions: one unit of work each, committed or rolled back as a whole."""

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
    """Make what makes the sessions of an engine.

    Objects stay usable after the commit: expired ones would be loaded again one by one, or
    fail once the session is closed.
    """
    return sessionmaker(engine, expire_on_commit=False)


@cache
def default_session_factory() -> sessionmaker[Session]:
    """Make, once in a process, the factory for the database that the settings name.

    Raises:
        ConfigurationError: the settings are wrong, or name no database.
    """
    settings = load_settings()
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set, and a session needs a database that is up",
            hint="larp config template > .env",
        )
    url = normalise_url(settings.database_url.get_secret_value())
    return session_factory(create_engine(url, PoolOptions.from_settings(settings)))


@contextmanager
def session_scope(factory: sessionmaker[Session] | None = None) -> Iterator[Session]:
    """Give a session for one unit of work: commit at the end, roll back on an error, close.

    Without a factory it is for the database that the settings name.
    """
    with (factory or default_session_factory()).begin() as session:
        yield session


def get_db_session() -> Iterator[Session]:
    """Yield a session as `session_scope` does, for a framework to inject.

    It takes no parameter, as FastAPI's ``Depends`` would read one from the request.
    """
    with session_scope() as session:
        yield session
