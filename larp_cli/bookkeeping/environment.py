"""The environment stamped in a database, so that nobody takes one database for another."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.bookkeeping.metadata import (
    peek_metadata,
    read_metadata,
    write_metadata,
    write_metadata_statements,
)
from larp_cli.errors import Refused

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.bookkeeping.tables import Bookkeeping
    from larp_cli.postgres.database import Database

_KEY = "environment"


def read_environment(connection: psycopg.Connection, bookkeeping: Bookkeeping) -> str | None:
    """Read the stamp; None if the database has none. A role that may not read it gets an error."""
    return read_metadata(connection, bookkeeping, _KEY)


def peek_environment(connection: psycopg.Connection, bookkeeping: Bookkeeping) -> str | None:
    """Read the stamp; None also if this role may not read it."""
    return peek_metadata(connection, bookkeeping, _KEY)


def require_same_environment(database: Database, stamped: str | None, *, command: str) -> None:
    """Refuse to treat a database of one environment as one of another.

    Raises:
        Refused: The environment stamped in the database is not the one in the settings.
    """
    if stamped is not None and stamped != database.environment.value:
        raise Refused(
            f"the database {database.name} is stamped {stamped}, but ENVIRONMENT says"
            f" {database.environment.value}: is DATABASE_URL the one you mean?",
            hint="correct DATABASE_URL; or, if it is the one:"
            f" ENVIRONMENT={shlex.quote(stamped)} {command}",
        )


def stamp_environment(
    connection: psycopg.Connection, database: ManagedDatabase, *, command: str
) -> None:
    """Stamp the environment of the settings; call it with the migration mutex held.

    Raises:
        Refused: The database is stamped with another environment.
    """
    stamped = read_environment(connection, database.bookkeeping)
    if stamped is None:
        write_metadata(connection, database.bookkeeping, _KEY, database.environment.value)
    else:
        require_same_environment(database, stamped, command=command)


def stamp_environment_statements(database: ManagedDatabase) -> list[sql.Composed]:
    """Write the SQL that stamps the environment over any other, for a session that is not ours."""
    return write_metadata_statements(database.bookkeeping, _KEY, database.environment.value)
