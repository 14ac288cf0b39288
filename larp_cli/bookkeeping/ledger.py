"""The ledger: which revision was run when, by whom, from which file, and how it ended.

A row of a run that succeeded is written in the transaction of the revision itself, so
that the two cannot disagree. A row of one that failed is written after the rollback.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from larp_cli import __version__
from larp_cli.bookkeeping.tables import LEDGER, Bookkeeping, VersionTable
from larp_cli.results import Direction, LedgerEntry, RunOutcome

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

FIND_READABLE = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %(ledger)s AND n.nspname = ANY (%(schemas)s)
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY array_position(%(schemas)s, n.nspname::text)
"""

SELECT_LAST_RUN = """
SELECT revision, outcome FROM {} WHERE version_table = %s ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a revision, to be written to the ledger."""

    revision: str
    direction: Direction
    seconds: float
    file: Path | None
    outcome: RunOutcome = RunOutcome.SUCCEEDED
    error: str | None = None


class Ledger:
    """The runs of one project's revisions: several may share a table, and revision ids."""

    def __init__(self, bookkeeping: Bookkeeping) -> None:
        self._bookkeeping = bookkeeping
        self._table = bookkeeping.identifier_of(LEDGER)
        self._version_table = str(bookkeeping.version_table)

    @cached_property
    def _insert(self) -> bytes:
        """The statement with the values that never change: it runs once for each revision."""
        always = (self._version_table, _operator(), socket.gethostname(), __version__)
        parts = (self._table, *map(sql.Literal, always))
        # A % in a name would be taken for a placeholder.
        escaped = (sql.SQL(part.as_string().replace("%", "%%")) for part in parts)
        return sql.SQL(INSERT_RUN).format(*escaped).as_bytes()

    def ensure(self, connection: psycopg.Connection) -> None:
        """Create the table if it is missing; call it with the migration mutex held."""
        self._bookkeeping.ensure(connection, LEDGER)

    def exists(self, connection: psycopg.Connection) -> bool:
        """Look whether there is a ledger; needs no right on it."""
        return self._bookkeeping.exists(connection, LEDGER)

    def is_readable(self, connection: psycopg.Connection) -> bool:
        """Look whether there is a ledger that this role may read."""
        return self._bookkeeping.is_readable(connection, LEDGER)

    def write(self, connection: psycopg.Connection, run: Run) -> None:
        """Write a run, in the connection's transaction if it is in one."""
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
        """Read every run, newest first; none if this role may not read them."""
        return self._select(connection, SELECT_RUNS)

    def read_last_outcome(self, connection: psycopg.Connection) -> tuple[str, str] | None:
        """Read revision and outcome of the last run; None where none is recorded."""
        statement = sql.SQL(SELECT_LAST_RUN).format(self._table)
        row = connection.execute(statement, (self._version_table,)).fetchone()
        return None if row is None else (row[0], row[1])

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


def find_readable_ledger(
    connection: psycopg.Connection, schemas: Sequence[str], version_table: VersionTable
) -> Ledger | None:
    """Find the ledger in the first of ``schemas`` that has one which this role may read."""
    given = {"ledger": LEDGER, "schemas": list(schemas)}
    row = connection.execute(FIND_READABLE, given).fetchone()
    return None if row is None else Ledger(Bookkeeping(row[0], version_table))


def sha256_of(path: Path) -> str | None:
    """Hash a revision file; None if it cannot be read."""
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
