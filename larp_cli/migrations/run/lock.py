"""The migration lock: an advisory lock that lets one migration run at a time.

larp polls the lock. A session that waits in ``pg_advisory_lock`` holds a snapshot, and
``CREATE INDEX CONCURRENTLY`` waits for every older snapshot, so the two would deadlock.
Source: PostgreSQL manual, "Explicit Locking: Advisory Locks".
"""

from __future__ import annotations

import hashlib
import random
import time
from typing import TYPE_CHECKING

from larp_cli.errors import Locked
from larp_cli.postgres.catalog import find_lock_holders
from larp_cli.postgres.pooler import require_session
from larp_cli.results import LockHolder

if TYPE_CHECKING:
    import psycopg

    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.observer import Observer

POLL_SECONDS, LONGEST_POLL = 0.05, 0.5
"""Seconds between two attempts. They grow, so that many waiting processes cause little load."""

LOOK_SECONDS = 2.0
"""Seconds between two queries for the sessions that hold the lock."""

BECOME_HOLDER = """
SELECT set_config('application_name', 'larp-migrate-mutex', false),
       (SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout')
"""
"""The session with the lock is idle while another one works, so it must not time out.

PostgreSQL has ``idle_session_timeout`` since version 14.
"""

UNLOCK = "SELECT pg_advisory_unlock(%s)"


def mutex_key(schema: str) -> int:
    """Derive the key of a schema's migration lock, a signed 64-bit number.

    Advisory locks belong to one database, so the key depends on the schema only.
    """
    digest = hashlib.sha256(f"larp-migration:{schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def worker_key(schema: str) -> int:
    """Derive the key of the lock that the session running the revisions holds."""
    return mutex_key(f"{schema}:worker")


def find_migrations(connection: psycopg.Connection, schema: str) -> tuple[LockHolder, ...]:
    """List the sessions of a running migration, the one that runs revisions first."""
    keys = (worker_key(schema), mutex_key(schema))
    found = {holder.pid: holder for key in keys for holder in find_lock_holders(connection, key)}
    ours = connection.info.backend_pid
    return tuple(holder for pid, holder in found.items() if pid != ours)


def take_mutex(
    connection: psycopg.Connection, database: ManagedDatabase, observer: Observer, *, wait: float
) -> None:
    """Take the migration lock. The server releases it when the connection ends.

    Args:
        connection: The connection that will hold the lock, in autocommit mode.
        database: The database of this connection.
        observer: Gets the sessions that hold the lock.
        wait: Seconds to keep trying while another session holds the lock.

    Raises:
        Refused: The connection goes through a transaction pooler, which breaks the lock.
        Locked: Another session still held the lock after ``wait`` seconds.
    """
    require_session(database, connection)
    connection.execute(BECOME_HOLDER)
    deadline = time.monotonic() + wait
    acquire(connection, database.schema, observer, wait=wait)
    # The server may still finish and commit the statement of a killed migration.
    key = worker_key(database.schema)
    left = max(0.0, deadline - time.monotonic())
    acquire(connection, database.schema, observer, key=key, wait=left)
    connection.execute(UNLOCK, (key,))


def release_mutex(connection: psycopg.Connection, schema: str) -> None:
    """Release the migration lock before the connection ends."""
    connection.execute(UNLOCK, (mutex_key(schema),))


def acquire(
    connection: psycopg.Connection,
    schema: str,
    observer: Observer,
    *,
    key: int | None = None,
    wait: float,
) -> None:
    """Poll a migration's lock, by default the migration lock itself, until it is free.

    Raises:
        Locked: Another session still held the lock after ``wait`` seconds.
    """
    holds_mutex = key is not None
    key = mutex_key(schema) if key is None else key
    began = asked = time.monotonic()
    holders: tuple[LockHolder, ...] = ()
    pause = POLL_SECONDS
    while not _try(connection, key):
        now = time.monotonic()
        if not holders or now >= asked + LOOK_SECONDS or now >= began + wait:
            known, asked = holders, now
            holders = (
                find_lock_holders(connection, key)
                if holds_mutex
                else find_migrations(connection, schema)
            )
            if now >= began + wait:
                raise _locked(holders)
            _report(holders, known, observer)
        time.sleep(min(pause, began + wait - now) * random.uniform(0.5, 1.0))
        pause = min(pause * 1.5, LONGEST_POLL)


def _try(connection: psycopg.Connection, key: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
    assert row is not None
    return bool(row[0])


def _report(
    holders: tuple[LockHolder, ...], known: tuple[LockHolder, ...], observer: Observer
) -> None:
    """Report the sessions that hold the lock, if they are not the known ones."""
    if [holder.pid for holder in holders] != [holder.pid for holder in known]:
        observer.waiting(f"another migration to finish ({_describe(holders)})")


def _locked(holders: tuple[LockHolder, ...]) -> Locked:
    return Locked(
        f"another migration is running ({_describe(holders)})",
        hint="wait until it finishes, or wait longer: set MIGRATION_MUTEX_WAIT to more seconds",
    )


def _describe(holders: tuple[LockHolder, ...]) -> str:
    sessions = (
        f"pid {holder.pid}, app {holder.application or 'unnamed'}, user {holder.user},"
        f" {holder.since_seconds:.0f} s"
        for holder in holders
    )
    return "; ".join(sessions) or "a session that is just ending"
