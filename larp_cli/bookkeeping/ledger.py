"""The ledger: which revision was run when, by whom, from which file, and how it ended.

A row of a run that succeeded is written in the transaction of the revision itself, so
that the two cannot disagree. A row of one that failed is written after the rollback.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from larp_cli import __version__
from larp_cli.bookkeeping.metadata import create_table, ensure_schema, is_readable, is_there
from larp_cli.results import Direction, EditedFile, LedgerEntry, RunOutcome

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database

TABLE = "larp_ledger"

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS {} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_table text NOT NULL,
    revision text NOT NULL,
    direction text NOT NULL,
    outcome text NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    operator text NOT NULL,
    host text NOT NULL,
    database_user text NOT NULL DEFAULT current_user,
    larp_version text NOT NULL,
    file_sha256 text,
    error text
)
"""

INSERT_RUN = """
INSERT INTO {} (version_table, revision, direction, outcome, started_at, seconds, operator, host,
                larp_version, file_sha256, error)
VALUES ({}, %s, %s, %s, clock_timestamp() - make_interval(secs => %s), %s, {}, {}, {}, %s, %s)
"""

SELECT_RUNS = """
SELECT revision, direction, outcome, started_at, seconds, operator, host, database_user,
       larp_version, file_sha256, error
FROM {} WHERE version_table = %s ORDER BY id DESC
"""

LAST_UPGRADES = """
SELECT DISTINCT ON (revision) revision, file_sha256, larp_version, host, started_at
FROM {} WHERE version_table = %s AND outcome = 'succeeded' AND direction = 'up'
ORDER BY revision, id DESC
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a revision, about to be written down."""

    revision: str
    direction: Direction
    seconds: float
    file: Path | None
    outcome: RunOutcome = RunOutcome.SUCCEEDED
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """How a revision got into the database."""

    revision: str
    file_sha256: str | None
    larp_version: str
    host: str
    started_at: datetime


class Ledger:
    """The runs of one project's revisions: several may share a table, and revision ids."""

    def __init__(self, database: Database) -> None:
        self._schema = database.bookkeeping_schema
        self._table = sql.Identifier(self._schema, TABLE)
        self._version_table = f"{database.schema}.{database.version_table}"

    @cached_property
    def _insert(self) -> bytes:
        """Compose it once, with all that stays: a long run writes a line for each revision."""
        always = (self._version_table, _operator(), socket.gethostname(), __version__)
        parts = (self._table, *map(sql.Literal, always))
        # A % in a name would be taken for a placeholder.
        escaped = (sql.SQL(part.as_string().replace("%", "%%")) for part in parts)
        return sql.SQL(INSERT_RUN).format(*escaped).as_bytes()

    def ensure(self, connection: psycopg.Connection) -> None:
        """Create the table; call it with the migration mutex held."""
        if not self.is_there(connection):
            ensure_schema(connection, self._schema)
            create_table(connection, self._schema, TABLE, CREATE_TABLE)

    def is_there(self, connection: psycopg.Connection) -> bool:
        """Look whether there is a ledger, whoever may read it."""
        return is_there(connection, self._schema, TABLE)

    def is_readable(self, connection: psycopg.Connection) -> bool:
        """Look whether there is a ledger that this role may read."""
        return is_readable(connection, self._schema, TABLE)

    def write(self, connection: psycopg.Connection, run: Run) -> None:
        """Write a run down, in the connection's transaction if it is in one."""
        connection.execute(
            self._insert,
            (
                run.revision,
                run.direction,
                run.outcome,
                run.seconds,
                run.seconds,
                run.file and sha256_of(run.file),
                run.error,
            ),
        )

    def runs(self, connection: psycopg.Connection) -> tuple[LedgerEntry, ...]:
        """Read every run, newest first; none where this role may not read them."""
        if not self.is_readable(connection):
            return ()
        with connection.cursor(row_factory=class_row(LedgerEntry)) as cursor:
            return tuple(
                cursor.execute(sql.SQL(SELECT_RUNS).format(self._table), (self._version_table,))
            )

    def runs_of(
        self, connection: psycopg.Connection, revisions: Iterable[str]
    ) -> tuple[LedgerEntry, ...]:
        """Read the successful upgrades of some revisions, newest first."""
        wanted = set(revisions)
        return tuple(
            run
            for run in self.runs(connection)
            if run.revision in wanted and (run.direction, run.outcome) == ("up", "succeeded")
        )

    def last_upgrades(self, connection: psycopg.Connection) -> dict[str, Applied]:
        """Read how each revision that was ever applied got in, most recently."""
        if not self.is_readable(connection):
            return {}
        with connection.cursor(row_factory=class_row(Applied)) as cursor:
            statement = sql.SQL(LAST_UPGRADES).format(self._table)
            rows = cursor.execute(statement, (self._version_table,))
            return {applied.revision: applied for applied in rows}


def edited_files(
    connection: psycopg.Connection, database: Database, project: Project, applied: Iterable[str]
) -> tuple[EditedFile, ...]:
    """List the files of ``applied`` revisions that are not what they were when they ran.

    A database adopted from plain Alembic has no ledger, and nothing to compare.
    """
    upgrades = Ledger(database).last_upgrades(connection)
    edited: list[EditedFile] = []
    for revision in sorted(applied):
        run = upgrades.get(revision)
        if run is None or run.file_sha256 is None:
            continue
        path = Path(project.script.get_revision(revision).path)
        found = sha256_of(path)
        if found != run.file_sha256:
            edited.append(
                EditedFile(
                    revision=revision,
                    path=path,
                    applied_sha256=run.file_sha256,
                    sha256=found,
                    applied_at=run.started_at,
                    larp_version=run.larp_version,
                )
            )
    return tuple(edited)


def sha256_of(path: Path) -> str | None:
    """Hash a revision file; None where it cannot be read any more."""
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def _operator() -> str:
    """Name the account of the operating system; an arbitrary uid in a container has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return f"uid {os.getuid()}"
