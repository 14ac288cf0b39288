"""The session that runs revisions: its timeouts and its lock.

The timeouts are set on the session, because ``SET LOCAL`` is lost inside Alembic's
``autocommit_block``. A ``CONCURRENTLY`` statement blocks no other session while it waits, so it
has a longer timeout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import event

from larp_cli.migrations.run.lock import acquire, worker_key
from larp_cli.migrations.run.special_statements import WaitKind, recognise
from larp_cli.migrations.run.timeouts import Timeouts
from larp_cli.postgres.catalog import find_invalid_indexes_of_table
from larp_cli.postgres.connection import milliseconds
from larp_cli.postgres.database import NOTICE_A_DEAD_CLIENT

if TYPE_CHECKING:
    import psycopg

    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.observer import Observer
    from larp_cli.postgres.sql.effects import Detachment, IndexBuild
    from larp_cli.postgres.sql.tables import TableName

PREPARE_THRESHOLD = 5
"""psycopg's default: prepare a statement when it is executed for the sixth time."""


NOT_FOR_EACH_COMMIT = """
SELECT set_config('synchronous_commit', 'off', false)
WHERE current_setting('synchronous_standby_names') = ''
"""
"""With synchronous replication, a failover must not lose a commit, so it stays on."""

DETACHING = "SELECT FROM pg_inherits WHERE inhrelid = to_regclass(%s) AND inhdetachpending"


@contextmanager
def open_worker(
    database: ManagedDatabase, timeouts: Timeouts, observer: Observer
) -> Iterator[Worker]:
    """Open the session that runs revisions.

    It holds its own lock, so that the next migration knows when it has really ended: the server
    may finish a statement after its client died or lost the migration lock.

    Raises:
        Locked: Another migration held that lock for ``timeouts.mutex_wait`` seconds.
    """
    with database.engine(observer=observer) as engine, engine.connect() as connection:
        driver = driver_connection(connection)
        key = worker_key(database.schema)
        acquire(driver, database.schema, observer, key=key, wait=timeouts.mutex_wait)
        driver.execute(NOTICE_A_DEAD_CLIENT)
        # The session does not go through a pooler, so it can prepare statements.
        driver.prepare_threshold = PREPARE_THRESHOLD
        connection.connection.commit()
        yield Worker(connection, timeouts, observer)


def driver_connection(connection: sa.Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection of a SQLAlchemy connection."""
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    assert driver is not None
    return driver


class Worker:
    """The session that runs revisions."""

    def __init__(self, connection: sa.Connection, timeouts: Timeouts, observer: Observer) -> None:
        self.connection = connection
        self._timeouts = timeouts
        self._observer = observer
        self._relaxed = False
        """Whether the timeouts of a CONCURRENTLY statement are still set."""
        self._altered = True
        """Whether the timeouts have to be set: not set yet, or changed by a revision."""
        self._statements = 0
        self.partly_committed = False
        """Whether part of the revision is committed, so that it must not be retried."""
        self._role_is_set = False
        event.listen(connection, "before_cursor_execute", self._before, retval=True)
        event.listen(connection, "after_cursor_execute", self._after)

    @property
    def runs_concurrently(self) -> bool:
        """Whether the current statement has the timeout of ``CONCURRENTLY``."""
        return self._relaxed

    @property
    def driver(self) -> psycopg.Connection[Any]:
        """The psycopg connection."""
        return driver_connection(self.connection)

    def begin(self, *, last: bool) -> None:
        """Prepare the session for a revision; ``last`` is the last one of the run.

        Only the last commit waits for the disk, and it flushes all earlier ones. If the server
        crashes before, the newest revisions disappear together with their stamps and ledger
        entries, and the next run applies them again.
        Source: PostgreSQL manual, "Asynchronous Commit".
        """
        if self._altered or self._relaxed:
            self._set_timeouts(self._timeouts.lock, self._timeouts.statement)
            self.driver.execute(NOT_FOR_EACH_COMMIT)
            self._altered = self._relaxed = False
        self._statements, self.partly_committed = 0, False
        if last:
            self.driver.execute("RESET synchronous_commit")
            self._altered = True

    def rollback(self) -> None:
        """Roll back a failed revision, including the settings that it made."""
        self.connection.rollback()
        self._altered = True

    def backend_pid(self) -> int:
        """Query the session's pid. Through a pooler, the connection reports another one."""
        row = self.driver.execute("SELECT pg_backend_pid()").fetchone()
        self.driver.commit()
        assert row is not None
        return int(row[0])

    @contextmanager
    def as_login_role(self) -> Iterator[psycopg.Connection[Any]]:
        """Act as the login role, which owns the bookkeeping, whatever role env.py has set."""
        driver = self.driver
        if not self._role_is_set:
            yield driver
            return
        row = driver.execute("SELECT current_user").fetchone()
        assert row is not None
        driver.execute("SET LOCAL ROLE NONE")
        yield driver
        driver.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(row[0])))

    def _before(
        self,
        _connection: sa.Connection,
        _cursor: object,
        statement: str,
        parameters: Any,
        *_rest: object,
    ) -> tuple[str, Any]:
        """Set the timeouts for a statement. Return the statement to execute."""
        driver = self.driver
        if driver.autocommit and self._statements:
            self.partly_committed = True  # entering autocommit mode committed it
        special = recognise(statement)
        if driver.autocommit and special.wait is not WaitKind.ORDINARY:
            lock = 0 if special.wait is WaitKind.BLOCKS_NOBODY else self._timeouts.lock
            self._set_timeouts(lock, self._timeouts.concurrently)
            self._relaxed = True
            if special.builds:
                self._drop_remains(driver, special.builds)
            if special.detaches:
                statement = _finish_detaching(driver, special.detaches) or statement
        elif self._relaxed:
            self._set_timeouts(self._timeouts.lock, self._timeouts.statement)
            self._relaxed = False
        # A revision may change these settings for itself. The next one gets larp's again.
        self._altered |= special.changes_settings
        self._role_is_set |= special.changes_role
        return statement, parameters

    def _after(
        self, _connection: sa.Connection, _cursor: object, statement: str, *_rest: object
    ) -> None:
        self._statements += 1
        if self.driver.autocommit:
            self.partly_committed = True

    def _set_timeouts(self, lock: float, statement: float) -> None:
        """Set both timeouts on the session, in seconds; 0 disables a timeout."""
        self.driver.execute(
            "SELECT set_config('lock_timeout', %s, false),"
            " set_config('statement_timeout', %s, false)",
            (milliseconds(lock), milliseconds(statement)),
        )

    def _drop_remains(self, connection: psycopg.Connection[Any], build: IndexBuild) -> None:
        """Drop the invalid index that an earlier failed build left behind.

        If the statement names no index, PostgreSQL derived the name from the table.
        """
        index = None if build.index is None else _quote((None, build.index))
        for name in find_invalid_indexes_of_table(connection, _quote(build.table), index):
            self._observer.note(f"rebuilding the invalid index {'.'.join(name)}")
            connection.execute(
                sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(*name))
            )


def _quote(name: TableName) -> str:
    """Quote a name for SQL."""
    return sql.Identifier(*filter(None, name)).as_string()


def _finish_detaching(connection: psycopg.Connection[Any], detach: Detachment) -> str | None:
    """Return the statement that finishes an interrupted DETACH; None if none was interrupted.

    Source: PostgreSQL manual, ALTER TABLE, DETACH PARTITION … FINALIZE.
    """
    parent, partition = _quote(detach.parent), _quote(detach.partition)
    if connection.execute(DETACHING, (partition,)).fetchone() is None:
        return None
    return f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE".replace("%", "%%")
