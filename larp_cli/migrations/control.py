"""The control connection: it reads the state of a database and holds the migration lock.

Revisions run on another connection, see `larp_cli.migrations.run.session`.
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
    """Whether env.py ran to locate the version table; False if only its text was read."""
    holds_mutex: bool = False

    def read_heads(self) -> tuple[str, ...]:
        """Read the current revisions of the database; empty if none was applied."""
        return read_heads(self.connection, self.database.version_table)

    def require_own_environment(self, command: str) -> str | None:
        """Refuse a database that is stamped with another environment. Return the stamp.

        Raises:
            Refused: ENVIRONMENT differs from the stamp in the database.
        """
        stamped = read_environment(self.connection, self.database.bookkeeping)
        require_same_environment(self.database, stamped, command=command)
        return stamped

    def hold_mutex(self, workspace: Workspace) -> None:
        """Take the migration lock and keep it until the connection ends.

        Raises:
            Refused: The connection goes through a transaction pooler, which breaks the lock.
            Locked: Another migration did not finish in time.
        """
        if not self.holds_mutex:
            wait, observer = workspace.timeouts.mutex_wait, workspace.observer
            take_mutex(self.connection, self.database, observer, wait=wait)
            self.holds_mutex = True

    def relocate(self) -> bool:
        """Run env.py to locate the version table. Return whether it is in another place.

        If it is, the session switches to that place and releases the lock.
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
        database: The database to connect to.
        project: The Alembic project.
        trust_text: Whether reading env.py without running it is enough. Call
            `ControlSession.relocate` before you change anything.

    Raises:
        ConfigurationError: env.py fails, or does not use the connection that it is given.
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
    """Connect to a database whose tables are located already.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    with database.connection() as connection:
        yield ControlSession(database=database, project=project, connection=connection)


def _locate(
    connection: psycopg.Connection, database: Database, project: Project, table: VersionTable
) -> ManagedDatabase:
    """Locate larp's own tables. In its own project they are beside the version table."""
    if project.own:
        return ManagedDatabase.of(database, Bookkeeping(table.schema, table))
    return ManagedDatabase.of(database, find_bookkeeping(connection, table))
