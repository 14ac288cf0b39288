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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from larp_cli import __version__
from larp_cli.bookkeeping.metadata import create_table, ensure_schema, is_readable, is_there
from larp_cli.results import Direction, LedgerEntry, RunOutcome

if TYPE_CHECKING:
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

SELECT_LAST_RUNS = """
SELECT DISTINCT ON (revision)
       revision, direction, outcome, started_at, seconds, operator, host, database_user,
       larp_version, file_sha256, error
FROM {} WHERE version_table = %s AND outcome = 'succeeded' ORDER BY revision, id DESC
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

    def read_runs(self, connection: psycopg.Connection) -> tuple[LedgerEntry, ...]:
        """Read every run, newest first; none where this role may not read them."""
        return self._select(connection, SELECT_RUNS)

    def read_last_runs(self, connection: psycopg.Connection) -> dict[str, LedgerEntry]:
        """Read each revision's last successful run: up, down or a stamp."""
        return {run.revision: run for run in self._select(connection, SELECT_LAST_RUNS)}

    def read_upgrades(
        self, connection: psycopg.Connection, revisions: Iterable[str]
    ) -> tuple[LedgerEntry, ...]:
        """Read the successful upgrades of some revisions, newest first."""
        wanted = set(revisions)
        return tuple(
            run
            for run in (self.read_runs(connection) if wanted else ())
            if run.revision in wanted and (run.direction, run.outcome) == ("up", "succeeded")
        )

    def _select(self, connection: psycopg.Connection, statement: str) -> tuple[LedgerEntry, ...]:
        if not self.is_readable(connection):
            return ()
        with connection.cursor(row_factory=class_row(LedgerEntry)) as cursor:
            query = sql.SQL(statement).format(self._table)
            return tuple(cursor.execute(query, (self._version_table,)))


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
