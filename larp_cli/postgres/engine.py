"""SQLAlchemy's synchronous engine and its pool, on our own way to connect."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout

from larp_cli.postgres.connection import Connection, connect, within
from larp_cli.postgres.errors import (
    ServerUnreachable,
    TooManyConnections,
    driver_error,
    translate,
    translated_errors,
)
from larp_cli.postgres.url import DatabaseUrl

if TYPE_CHECKING:
    from larp_cli.settings import Settings

_URL_OPTION = "larp_url"


class PoolExhausted(TooManyConnections):
    """Every connection of our own pool stayed in use."""

    phrase = "has connections left, but all of our own pool stayed in use"
    advice = "raise DATABASE_POOL_SIZE, or look for sessions that are not closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How many connections are kept, and how long anything waits for one."""

    size: int = 20
    """Connections kept open."""
    max_overflow: int = 0
    """Connections opened beyond them under load."""
    timeout: float = 10.0
    """Seconds to wait for one of them to be free."""
    connect_timeout: float = 10.0
    """Seconds to open one, over all hosts together."""
    statement_timeout: float | None = None
    """Seconds until the server cancels a statement; None leaves the server's own."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Take what the ``DATABASE_*`` settings say."""
        return cls(
            size=settings.database_pool_size,
            max_overflow=settings.database_max_overflow,
            timeout=settings.database_pool_timeout,
            connect_timeout=settings.database_connect_timeout,
            statement_timeout=settings.database_statement_timeout,
        )


def create_engine(
    url: DatabaseUrl, options: PoolOptions | None = None, *, application_name: str = "larp"
) -> sa.Engine:
    """Make an engine with a pool of connections; none is opened yet.

    A connection that died in the pool is noticed when it is taken (``pool_pre_ping``), and
    replaced. An unreachable database raises our own errors, also through SQLAlchemy; errors
    of a statement (``IntegrityError`` and the like) stay SQLAlchemy's.
    """
    options = options or PoolOptions()

    def creator() -> Connection:
        return connect(
            url,
            application_name=application_name,
            connect_timeout=options.connect_timeout,
            statement_timeout=options.statement_timeout,
            autocommit=False,
        )

    engine = sa.create_engine(
        # For display alone: libpq gets its own parameters, from the creator.
        sa.URL.create("postgresql+psycopg", url.user, host=url.host, database=url.database),
        creator=creator,
        execution_options={_URL_OPTION: url},
        hide_parameters=True,
        max_overflow=options.max_overflow,
        pool_pre_ping=True,
        pool_size=options.size,
        pool_timeout=options.timeout,
    )
    event.listen(engine, "handle_error", _translate_unreachable)
    return engine


def check_connection(target: sa.Engine | DatabaseUrl, *, timeout: float = 5.0) -> float:
    """Ask the database for an answer, and give the seconds it took.

    ``target`` is an engine of `create_engine`, whose pool is then asked for the connection,
    or a URL, to which a new one is opened. ``timeout`` bounds all of it by the wall clock.

    Raises:
        DatabaseFailure: no answer, or not in time.
    """
    url = _url_of(target)
    began = time.monotonic()
    try:
        with translated_errors(url):
            within(timeout, lambda: _ask(target, timeout))
    except PoolTimeout as error:
        raise PoolExhausted.at(url) from error
    return time.monotonic() - began


def _ask(target: sa.Engine | DatabaseUrl, timeout: float) -> None:
    if isinstance(target, DatabaseUrl):
        name = "larp-check"
        with connect(target, application_name=name, connect_timeout=timeout) as connection:
            connection.execute("SELECT 1")
    else:
        with target.connect() as pooled:
            pooled.execute(sa.text("SELECT 1"))


def _url_of(target: sa.Engine | DatabaseUrl) -> DatabaseUrl:
    if isinstance(target, DatabaseUrl):
        return target
    url = target.get_execution_options()[_URL_OPTION]
    assert isinstance(url, DatabaseUrl)
    return url


def _translate_unreachable(context: ExceptionContext) -> ServerUnreachable | None:
    """Replace SQLAlchemy's error by ours where the server, not the statement, is at fault."""
    original = driver_error(context.original_exception)
    # The pool itself handles the error of its own ping, by connecting anew.
    if context.is_pre_ping or context.engine is None or not isinstance(original, psycopg.Error):
        return None
    failure = translate(original, _url_of(context.engine))
    failure.__cause__ = original
    return failure if isinstance(failure, ServerUnreachable) else None
