"""SQLAlchemy's synchronous engine and pool, with larp's own way to connect."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout

from larp_cli.postgres.connection import (
    Connection,
    LastHost,
    SessionTimeouts,
    connect,
    within,
)
from larp_cli.postgres.errors import (
    DatabaseFailure,
    ServerUnreachable,
    StatementTimeout,
    TooManyConnections,
    driver_error,
    translate,
    translate_errors,
)
from larp_cli.postgres.url import DatabaseUrl

if TYPE_CHECKING:
    from larp_cli.settings import Settings

_URL_OPTION = "larp_url"


class PoolExhausted(TooManyConnections):
    """All connections of the process's own pool stayed in use."""

    phrase = "has free connections, but all connections of this process's pool are in use"
    advice = "raise DATABASE_POOL_SIZE, or find sessions that are not closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """Size and timeouts of a connection pool."""

    size: int = 20
    """Connections kept open."""
    max_overflow: int = 0
    """Extra connections opened under load."""
    timeout: float = 10.0
    """Seconds to wait for a free connection."""
    connect_timeout: float = 10.0
    """Seconds to open a connection, over all hosts together."""
    statement_timeout: float | None = None
    """Seconds until the server cancels a statement; None keeps the server's setting."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read the options from the ``DATABASE_*`` settings."""
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
    """Create an engine with a connection pool. It opens no connection yet.

    ``pool_pre_ping`` replaces connections that died in the pool. An unreachable database raises
    larp's own errors, even through SQLAlchemy. Errors of a statement, such as
    ``IntegrityError``, stay SQLAlchemy's.
    """
    options = options or PoolOptions()

    last_host = LastHost()

    def creator() -> Connection:
        return connect(
            url,
            application_name=application_name,
            connect_timeout=options.connect_timeout,
            timeouts=SessionTimeouts(statement=options.statement_timeout),
            autocommit=False,
            last_host=last_host,
        )

    engine = sa.create_engine(
        # For display only: the creator passes the parameters to libpq.
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
    """Run a query and return the seconds it took.

    ``target`` is an engine from `create_engine`, whose pool provides the connection, or a URL,
    to which a new connection is opened. ``timeout`` limits the total wall-clock time.

    Raises:
        DatabaseFailure: The database did not answer in time.
    """
    url = _url_of(target)
    began = time.monotonic()
    try:
        with translate_errors(url):
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


def _translate_unreachable(context: ExceptionContext) -> DatabaseFailure | None:
    """Raise larp's error instead of SQLAlchemy's if the server, not the statement, is at fault."""
    original = driver_error(context.original_exception)
    # The pool handles errors of its own ping by reconnecting.
    if context.is_pre_ping or context.engine is None or not isinstance(original, psycopg.Error):
        return None
    failure = translate(original, _url_of(context.engine))
    failure.__cause__ = original
    return failure if isinstance(failure, ServerUnreachable | StatementTimeout) else None
