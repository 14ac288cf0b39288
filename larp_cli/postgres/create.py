"""Create the database. Several processes may do so at the same time."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.errors import CommandFailed, DatabaseUnreachable
from larp_cli.postgres.errors import DatabaseMissing, translate
from larp_cli.postgres.pooler import require_session

if TYPE_CHECKING:
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database

MAINTENANCE_DATABASES = ("postgres", "template1")
"""Databases to connect to for CREATE DATABASE, in the order that createdb tries them."""


def ensure_database(database: Database, observer: Observer) -> bool:
    """Create the database if it is missing. Return whether it was created.

    Raises:
        DatabaseUnreachable: The server did not answer, or refused the connection.
        CommandFailed: The user may not create databases.
    """
    try:
        database.connect().close()
    except DatabaseMissing:
        return _create(database, observer)
    return False


def _create(database: Database, observer: Observer) -> bool:
    # template0 has no sessions, so two concurrent CREATE DATABASE do not block each other.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(
        sql.Identifier(database.name)
    )
    with _connect_for_maintenance(database) as connection:
        observer.started(f"creating the database {database.name}")
        try:
            connection.execute(statement)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return False  # another process created it first
        except psycopg.errors.InsufficientPrivilege as error:
            command = shlex.join(["createdb", "-O", database.url.user, database.name])
            raise CommandFailed(
                f"user {database.url.user} may not create the database {database.name}",
                hint=f"as an administrator: {command}",
            ) from error
        except psycopg.Error as error:
            raise translate(error, database.url) from error
    return True


def _connect_for_maintenance(database: Database) -> psycopg.Connection:
    failure: DatabaseUnreachable | None = None
    for name in MAINTENANCE_DATABASES:
        # Concurrent creators wait for a lock here, which is expected, so set no lock timeout.
        maintenance = replace(database.at(name), lock_timeout=None)
        try:
            connection = maintenance.connect()
        except DatabaseUnreachable as error:
            failure = failure or error
            continue
        try:
            # The migration needs the advisory lock: refuse before anything is changed.
            require_session(maintenance, connection)
        except BaseException:
            connection.close()
            raise
        return connection
    assert failure is not None
    raise failure
