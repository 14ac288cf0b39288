"""The environment that is stamped in the database, so that one is not taken for another."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import psycopg

from larp_cli.bookkeeping import metadata
from larp_cli.errors import Refused

if TYPE_CHECKING:
    from larp_cli.postgres.database import Database

ENVIRONMENT_KEY = "environment"


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


def stamp_environment(connection: psycopg.Connection, database: Database, *, command: str) -> None:
    """Note the environment in the database; call it with the migration mutex held.

    Raises:
        Refused: Another environment is noted already.
    """
    stamped = metadata.read(connection, database.bookkeeping_schema, ENVIRONMENT_KEY)
    if stamped is None:
        environment = database.environment.value
        metadata.write(connection, database.bookkeeping_schema, ENVIRONMENT_KEY, environment)
    else:
        require_same_environment(database, stamped, command=command)
