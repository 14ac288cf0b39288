"""The database that a command works on, and every way to connect to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from larp_cli.errors import ConfigurationError
from larp_cli.postgres.connection import LastHost, SessionTimeouts, connect
from larp_cli.postgres.errors import translate_errors
from larp_cli.postgres.url import DatabaseUrl, normalise_url
from larp_cli.redaction import Redactor
from larp_cli.settings import Environment, Settings, make_redactor

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy as sa

    from larp_cli.observer import Observer

log = logging.getLogger("larp.postgres")

DEFAULT_DATABASE = "larp_manager"
"""Name of the database on the embedded server."""


NOTICE_A_DEAD_CLIENT = """
SELECT set_config(name, '1000', false) FROM pg_settings
WHERE name = 'client_connection_check_interval' AND version() LIKE '%linux%'
"""
"""Else the server goes on with the statement of a killed migrator, and keeps its locks.

PostgreSQL manual, "Connection Settings": since 14, and not on every system.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database on a server, and how to connect to it."""

    url: DatabaseUrl
    url_setting: str = "DATABASE_URL"
    """Name of the setting that the URL came from."""
    environment: Environment
    """The environment that the settings name, not the one stamped in the database."""
    embedded: bool = False
    connect_timeout: float
    """Seconds, over all hosts and addresses together."""
    statement_timeout: float | None = None
    """Seconds; None leaves the server's own."""
    lock_timeout: float | None = None
    """Seconds that a statement of ours may wait for a lock; None leaves the server's own."""
    redactor: Redactor = field(default=Redactor(), repr=False)
    """Hides what must not be written anywhere, the ledger included."""
    last_host: LastHost = field(default_factory=LastHost, repr=False, compare=False)
    """Shared with every copy that leads to the same hosts."""

    @property
    def name(self) -> str:
        """The database's name."""
        return self.url.database

    def at(self, database: str) -> Database:
        """Return another database on the same server."""
        return replace(self, url=self.url.with_database(database))

    def connect(self, *, application_name: str = "larp") -> psycopg.Connection:
        """Open a connection in autocommit mode.

        Raises:
            DatabaseUnreachable: The server did not answer, or refused us, in time.
        """
        return connect(
            self.url,
            application_name=application_name,
            connect_timeout=self.connect_timeout,
            timeouts=SessionTimeouts(statement=self.statement_timeout, lock=self.lock_timeout),
            last_host=self.last_host,
        )

    @contextmanager
    def connection(self, *, application_name: str = "larp") -> Iterator[psycopg.Connection]:
        """Hold a connection in autocommit mode; the driver's errors within become ours.

        Raises:
            DatabaseUnreachable: The server did not answer, or refused us, in time.
            DatabaseFailure: A statement failed.
        """
        with (
            translate_errors(self.url),
            self.connect(application_name=application_name) as connection,
        ):
            yield connection

    @contextmanager
    def engine(self, *, observer: Observer | None = None) -> Iterator[sa.Engine]:
        """Make an engine for migrations: no pool, and the server's warnings to ``observer``."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        def open_connection() -> psycopg.Connection:
            return self._connect_for_migration(observer)

        engine = create_engine(
            "postgresql+psycopg://",
            creator=open_connection,
            poolclass=NullPool,
            hide_parameters=True,
        )
        try:
            yield engine
        finally:
            engine.dispose()

    def _connect_for_migration(self, observer: Observer | None) -> psycopg.Connection:
        connection = connect(
            self.url,
            application_name="larp-migrate",
            connect_timeout=self.connect_timeout,
            # For what env.py itself runs; whatever the server has, a revision brings its own.
            timeouts=SessionTimeouts(
                statement=self.statement_timeout or 0, lock=self.lock_timeout or 0
            ),
            autocommit=False,
            last_host=self.last_host,
        )
        if observer is not None:
            connection.add_notice_handler(lambda notice: _tell(observer, notice))
        return connection


def _tell(observer: Observer, notice: psycopg.errors.Diagnostic) -> None:
    """Pass a WARNING of the server on; a NOTICE is worth no more than the log."""
    text = notice.message_primary or ""
    if notice.severity_nonlocalized == "WARNING":
        observer.warning(text)
    else:
        log.info("%s", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The same database by the application's URL and by the one for DDL."""

    application: Database
    migration: Database


@contextmanager
def open_database(
    settings: Settings, observer: Observer, *, deadline: float | None = None
) -> Iterator[Databases]:
    """Find the configured database; start the embedded server where none is configured.

    Args:
        settings: Which database, and how long to wait for it.
        observer: Told when the embedded server is used.
        deadline: Seconds the whole command has; no connection waits longer.

    Raises:
        ConfigurationError: The URL is wrong, or the embedded server cannot be used.
    """
    with ExitStack() as stack:
        embedded = settings.database_url is None
        if settings.database_url is not None:
            url = normalise_url(settings.database_url.get_secret_value())
        else:
            url = stack.enter_context(_embedded_url(settings, observer))
        application = Database(
            url=url,
            environment=settings.environment,
            embedded=embedded,
            connect_timeout=min(settings.database_connect_timeout, deadline or float("inf")),
            statement_timeout=settings.database_statement_timeout,
            lock_timeout=settings.migration_lock_timeout,
            redactor=make_redactor(settings),
        )
        yield Databases(application=application, migration=_for_migration(settings, application))


def _for_migration(settings: Settings, application: Database) -> Database:
    if settings.database_migration_url is None:
        return application
    setting = "DATABASE_MIGRATION_URL"
    url = normalise_url(settings.database_migration_url.get_secret_value(), setting=setting)
    return replace(application, url=url, url_setting=setting, embedded=False, last_host=LastHost())


@contextmanager
def _embedded_url(settings: Settings, observer: Observer) -> Iterator[DatabaseUrl]:
    require_development(settings)
    from larp_cli.postgres.embedded import EmbeddedServer

    with EmbeddedServer(settings.larp_home, observer).lease() as server:
        yield normalise_url(server.url(DEFAULT_DATABASE))


def require_development(settings: Settings) -> None:
    """Refuse the embedded server in production.

    Raises:
        ConfigurationError: ENVIRONMENT is production.
    """
    if settings.environment is Environment.PRODUCTION:
        raise ConfigurationError(
            "production needs DATABASE_URL; the embedded PostgreSQL is for development",
            hint="export DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE",
        )
