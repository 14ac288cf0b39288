"""The connection on which a command reads where a database stands, and holds the mutex.

Revisions run on another connection: see `larp_cli.migrations.run.session`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from larp_cli.bookkeeping.database import ManagedDatabase
from larp_cli.bookkeeping.environment import read_environment, require_same_environment
from larp_cli.bookkeeping.tables import Bookkeeping, VersionTable, find_bookkeeping
from larp_cli.migrations.run.lock import release_mutex, take_mutex
from larp_cli.migrations.version_table import (
    find_version_table,
    find_written_version_table,
    read_heads,
)

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.workspace import Workspace
    from larp_cli.postgres.database import Database


@dataclass(slots=True, kw_only=True)
class ControlSession:
    """One connection to a database whose version table and bookkeeping are located."""

    database: ManagedDatabase
    project: Project
    connection: psycopg.Connection
    is_confirmed: bool = True
    """Whether env.py itself said where the version table is; False if only its text was read."""
    holds_mutex: bool = False

    def read_heads(self) -> tuple[str, ...]:
        """Read the stamped revisions; none if nothing was ever applied."""
        return read_heads(self.connection, self.database.version_table)

    def require_own_environment(self, command: str) -> str | None:
        """Refuse a database that is stamped with another environment; returns the stamp.

        Raises:
            Refused: ENVIRONMENT is not what is stamped in the database.
        """
        stamped = read_environment(self.connection, self.database.bookkeeping)
        require_same_environment(self.database, stamped, command=command)
        return stamped

    def hold_mutex(self, workspace: Workspace) -> None:
        """Take the migration mutex, and keep it until the connection ends.

        Raises:
            Refused: A transaction pooler stands between, where the lock would not hold.
            Locked: Another migrator did not finish in time.
        """
        if not self.holds_mutex:
            wait, observer = workspace.timeouts.mutex_wait, workspace.observer
            take_mutex(self.connection, self.database, observer, wait=wait)
            self.holds_mutex = True

    def relocate(self) -> bool:
        """Ask env.py itself where the version table is, and whether that is somewhere else.

        If it is, the session works there from now on, without the mutex that it held.
        """
        if self.is_confirmed:
            return False
        table = find_version_table(self.database, self.project)
        located = _locate(self.connection, self.database, self.project, table)
        self.is_confirmed = True
        if located == self.database:
            return False
        release_mutex(self.connection, self.database.schema)
        self.database, self.holds_mutex = located, False
        return True


@contextmanager
def open_control(
    database: Database, project: Project, *, trust_text: bool = False
) -> Iterator[ControlSession]:
    """Connect, and locate the version table and larp's own tables.

    Args:
        database: Where to connect.
        project: Whose version table.
        trust_text: Whether the text of env.py will do, if it says where the version table is.
            Before anything is changed, call `ControlSession.relocate`.

    Raises:
        ConfigurationError: env.py does not run, or not on the connection that it is given.
        DatabaseUnreachable: The database did not answer.
    """
    trust_text = trust_text and not project.own and project.is_legible
    table = None if trust_text else find_version_table(database, project)
    with database.connection() as connection:
        if table is None:
            table = find_written_version_table(connection, project)
        yield ControlSession(
            database=_locate(connection, database, project, table),
            project=project,
            connection=connection,
            is_confirmed=not trust_text,
        )


@contextmanager
def reopen_control(database: ManagedDatabase, project: Project) -> Iterator[ControlSession]:
    """Connect to a database that was located before.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    with database.connection() as connection:
        yield ControlSession(database=database, project=project, connection=connection)


def _locate(
    connection: psycopg.Connection, database: Database, project: Project, table: VersionTable
) -> ManagedDatabase:
    """Locate larp's own tables: for its own project beside the version table."""
    if project.own:
        return ManagedDatabase.of(database, Bookkeeping(table.schema, table))
    return ManagedDatabase.of(database, find_bookkeeping(connection, table))
