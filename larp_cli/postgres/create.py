"""Creating the database itself, also when several do so at once."""

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
"""Where one connects to create another database, in the order in which createdb tries."""


def ensure_database(database: Database, observer: Observer) -> bool:
    """Create the database where it is missing; returns whether it was.

    Raises:
        DatabaseUnreachable: The server did not answer, or refused us.
        CommandFailed: The user may not create databases.
    """
    try:
        database.connect().close()
    except DatabaseMissing:
        return _create(database, observer)
    return False


def _create(database: Database, observer: Observer) -> bool:
    # template0 is never in use, so that two who create at once do not disturb each other.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(
        sql.Identifier(database.name)
    )
    with _maintenance_connection(database) as connection:
        observer.started(f"creating the database {database.name}")
        try:
            connection.execute(statement)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return False  # another larp was quicker
        except psycopg.errors.InsufficientPrivilege as error:
            command = shlex.join(["createdb", "-O", database.url.user, database.name])
            raise CommandFailed(
                f"user {database.url.user} may not create the database {database.name}",
                hint=f"as an administrator: {command}",
            ) from error
        except psycopg.Error as error:
            raise translate(error, database.url) from error
    return True


def _maintenance_connection(database: Database) -> psycopg.Connection:
    failure: DatabaseUnreachable | None = None
    for name in MAINTENANCE_DATABASES:
        # Of several that create it at once the others wait for a lock; that is no failure.
        place = replace(database.at(name), lock_timeout=None)
        try:
            connection = place.connect()
        except DatabaseUnreachable as error:
            failure = failure or error
            continue
        try:
            # What is about to begin needs the mutex: refuse before anything is changed.
            require_session(place, connection)
        except BaseException:
            connection.close()
            raise
        return connection
    assert failure is not None
    raise failure
