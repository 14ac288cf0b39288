"""Detect a connection pooler that shares our session with other clients.

An advisory lock belongs to a session at the server. A pooler in transaction mode assigns a session
per transaction, so the lock would stay in a session that another client gets next. In session
mode the session is ours until we disconnect, which is as good as a direct connection.
https://www.pgbouncer.org/features.html, "SQL feature map for pooling modes".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg

from larp_cli.errors import Refused
from larp_cli.postgres.connection import connect, limit_answer
from larp_cli.postgres.errors import ConnectTimeout, TooManyConnections
from larp_cli.postgres.url import Host

if TYPE_CHECKING:
    from larp_cli.postgres.database import Database

type Session = tuple[int, datetime]

SESSION = "SELECT pid, backend_start FROM pg_stat_get_activity(pg_backend_pid())"
"""Identifies a session; a process id alone may also exist on another server."""

ROUNDS = 12
"""Attempts. Other traffic may hide the sharing once, and one address may be several poolers."""


class NoSecondSession(TooManyConnections):
    """The pooler has no second session; a migration needs two at the same time."""

    phrase = "is behind a pooler that has no second session for role '{user}'"
    advice = "raise the pooler's pool size, or set DATABASE_MIGRATION_URL to the server itself"


def require_session(database: Database, connection: psycopg.Connection) -> None:
    """Check that a lock taken on this connection belongs to this connection alone.

    Runs one query on a direct connection. Behind a pooler it opens a few more connections.

    Args:
        database: Where ``connection`` leads.
        connection: The connection that is about to take the lock, in autocommit mode.

    Raises:
        Refused: The connection goes through a pooler in transaction or statement mode.
        DatabaseUnreachable: The pooler has no second session, or does not answer.
    """
    own = _read_session(connection, database.connect_timeout)
    if _is_direct(connection, own):
        return
    try:
        shared = any(_is_shared(database, connection, own) for _ in range(ROUNDS))
    except (ConnectTimeout, psycopg.errors.ConnectionTimeout) as error:
        raise NoSecondSession.at(database.url) from error
    except psycopg.errors.ProtocolViolation as error:
        # PgBouncer uses this SQLSTATE for query_wait_timeout as well.
        shared = "statement pooling" in str(error)
        if not shared:
            raise NoSecondSession.at(database.url) from error
    if shared:
        raise _build_refusal(database, connection)


def is_direct(connection: psycopg.Connection, seconds: float) -> bool:
    """Return whether a connection leads to the server itself; waits ``seconds`` for the answer."""
    return _is_direct(connection, _read_session(connection, seconds))


def _is_direct(connection: psycopg.Connection, own: Session) -> bool:
    # A pooler has no session yet when a client connects, so it invents a process id: PgBouncer
    # in every mode, see welcome_client in its src/proto.c.
    return own[0] == connection.info.backend_pid


def _is_shared(database: Database, connection: psycopg.Connection, own: Session) -> bool:
    """Return whether another client gets our session while we are idle.

    A pooler assigns the session returned last, which is ours, or takes turns, and then we get
    another one. The second transaction stays open to provoke that.
    """
    seconds = database.connect_timeout
    with connect(
        replace(database.url, hosts=(_find_host(connection),)),
        application_name="larp-pooler-check",
        connect_timeout=seconds,
        autocommit=False,
    ) as other:
        return _read_session(other, seconds) == own or _read_session(connection, seconds) != own


def _read_session(connection: psycopg.Connection, seconds: float) -> Session:
    with limit_answer(connection, seconds):
        row = connection.execute(SESSION).fetchone()
    assert row is not None
    pid, start = row
    return pid, start


def _find_host(connection: psycopg.Connection) -> Host:
    """Return the host that a connection uses, of possibly several."""
    info = connection.info
    return Host(name=info.host, address=info.hostaddr, port=str(info.port))


def _build_refusal(database: Database, connection: psycopg.Connection) -> Refused:
    hint = "set DATABASE_MIGRATION_URL to the server itself"
    if database.url_setting == "DATABASE_MIGRATION_URL":
        hint += ", not to the pooler"
    return Refused(
        f"{database.url_setting} goes through a transaction pooler at {_find_host(connection)},"
        " where the migration lock would not hold",
        hint=hint,
    )
