"""One migrator at a time: an advisory lock on a connection of its own.

The lock is polled. A session that waits in ``pg_advisory_lock`` holds a snapshot, and
``CREATE INDEX CONCURRENTLY`` waits for every older snapshot: the two would deadlock.
See the PostgreSQL manual, "Explicit Locking: Advisory Locks".
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
"""Seconds between two attempts: growing, as thirty that wait would else keep the server busy."""

LOOK_SECONDS = 2.0
"""Seconds between two looks at who holds the mutex."""

BECOME_HOLDER = """
SELECT set_config('application_name', 'larp-migrate-mutex', false),
       (SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout')
"""
"""The session that holds the mutex is idle while another one works, and must not be ended for
it. PostgreSQL manual, "Client Connection Defaults": since 14."""

UNLOCK = "SELECT pg_advisory_unlock(%s)"


def mutex_key(schema: str) -> int:
    """Derive the key of a schema's mutex, a signed 64-bit number.

    Advisory locks are per database already, so the schema alone makes the key.
    """
    digest = hashlib.sha256(f"larp-migration:{schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def worker_key(schema: str) -> int:
    """Derive the key of the lock that the session in which revisions run holds itself."""
    return mutex_key(f"{schema}:worker")


def migrators(connection: psycopg.Connection, schema: str) -> tuple[LockHolder, ...]:
    """List who is migrating: the session that works first, then the one that holds the mutex."""
    keys = (worker_key(schema), mutex_key(schema))
    found = {holder.pid: holder for key in keys for holder in find_lock_holders(connection, key)}
    ours = connection.info.backend_pid
    return tuple(holder for pid, holder in found.items() if pid != ours)


def take_mutex(
    connection: psycopg.Connection, database: ManagedDatabase, observer: Observer, *, wait: float
) -> None:
    """Take the migration mutex; it lasts until the connection ends, even if larp is killed.

    Args:
        connection: The one that will hold it; in autocommit mode.
        database: Where ``connection`` leads, and whose schema will be migrated.
        observer: Hears who holds the mutex.
        wait: Seconds to go on asking while another session holds it.

    Raises:
        Refused: A transaction pooler stands between, where the lock would not hold.
        Locked: Another session still held it after ``wait`` seconds.
    """
    require_session(database, connection)
    connection.execute(BECOME_HOLDER)
    deadline = time.monotonic() + wait
    acquire(connection, database.schema, observer, wait=wait)
    # The server may still finish the statement of a killed migrator, and commit it.
    key = worker_key(database.schema)
    left = max(0.0, deadline - time.monotonic())
    acquire(connection, database.schema, observer, key=key, wait=left)
    connection.execute(UNLOCK, (key,))


def release_mutex(connection: psycopg.Connection, schema: str) -> None:
    """Give the mutex up before the connection ends."""
    connection.execute(UNLOCK, (mutex_key(schema),))


def acquire(
    connection: psycopg.Connection,
    schema: str,
    observer: Observer,
    *,
    key: int | None = None,
    wait: float,
) -> None:
    """Take a lock of migrators, by default the mutex, by asking for it again and again.

    Raises:
        Locked: Another session still held it after ``wait`` seconds.
    """
    of_workers = key is not None  # then we hold the mutex ourselves
    key = mutex_key(schema) if key is None else key
    began = looked = time.monotonic()
    holders: tuple[LockHolder, ...] = ()
    pause = POLL_SECONDS
    while not _try(connection, key):
        now = time.monotonic()
        if not holders or now >= looked + LOOK_SECONDS or now >= began + wait:
            found = (
                find_lock_holders(connection, key) if of_workers else migrators(connection, schema)
            )
            told, holders, looked = holders, found, now
            if now >= began + wait:
                raise Locked(
                    f"another migrator is at work: {_named(holders)}",
                    hint="wait for it to end, or give it longer with MIGRATION_MUTEX_WAIT",
                )
            if [holder.pid for holder in holders] != [holder.pid for holder in told]:
                observer.waiting(f"another migrator to end: {_named(holders)}")
        time.sleep(min(pause, began + wait - now) * random.uniform(0.5, 1.0))
        pause = min(pause * 1.5, LONGEST_POLL)


def _try(connection: psycopg.Connection, key: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
    assert row is not None
    return bool(row[0])


def _named(holders: tuple[LockHolder, ...]) -> str:
    return (
        ", ".join(
            f"pid {holder.pid} ({holder.application or 'unnamed'}, user {holder.user},"
            f" for {holder.since_seconds:.0f} s)"
            for holder in holders
        )
        or "a session that is just ending"
    )
