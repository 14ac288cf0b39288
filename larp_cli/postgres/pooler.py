"""Whether our session at the server is ours, or a pooler's that others get as well.

An advisory lock belongs to a session at the server. A pooler in transaction mode lends us a
session for each transaction: the lock would stay behind in one that it then lends to others.
In session mode it lends us one until we leave, which is as good as a direct connection.
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
"""One session of one server: a process id alone is met again on the next server."""

ROUNDS = 12
"""Several: traffic may hide the sharing once, and one address may be several poolers."""


class NoSecondSession(TooManyConnections):
    """A pooler has no second session for us; a migration needs two at the same time."""

    phrase = "is behind a pooler that has no second session for role '{user}'"
    advice = "raise the pooler's pool size, or set DATABASE_MIGRATION_URL to the server itself"


def require_session(database: Database, connection: psycopg.Connection) -> None:
    """Make sure that what is locked on this connection stays locked for it alone.

    Costs a direct connection one query. Behind a pooler a few more connections are made.

    Args:
        database: Where ``connection`` leads.
        connection: The one that is about to take the lock; in autocommit mode.

    Raises:
        Refused: A pooler in transaction or statement mode stands between.
        DatabaseUnreachable: The pooler has no second session for us, or does not answer.
    """
    own = _session(connection, database.connect_timeout)
    if _is_direct(connection, own):
        return
    try:
        shared = any(_is_shared(database, connection, own) for _ in range(ROUNDS))
    except (ConnectTimeout, psycopg.errors.ConnectionTimeout) as error:
        raise NoSecondSession.at(database.url) from error
    except psycopg.errors.ProtocolViolation as error:
        # PgBouncer's words; the other thing it says with this SQLSTATE is query_wait_timeout.
        shared = "statement pooling" in str(error)
        if not shared:
            raise NoSecondSession.at(database.url) from error
    if shared:
        raise _refusal(database, connection)


def is_direct(connection: psycopg.Connection, seconds: float) -> bool:
    """Tell a connection to the server from one to a pooler; waits for so many seconds."""
    return _is_direct(connection, _session(connection, seconds))


def _is_direct(connection: psycopg.Connection, own: Session) -> bool:
    # A pooler has no session yet when it lets us in, and makes a process id up: PgBouncer in
    # every mode, see welcome_client in its src/proto.c.
    return own[0] == connection.info.backend_pid


def _is_shared(database: Database, connection: psycopg.Connection, own: Session) -> bool:
    """Look whether our session is lent to another client while we do nothing.

    A pooler lends the session that came back last, which is ours, or in turn, and then we
    get another one ourselves. The other transaction stays open to bring that about.
    """
    seconds = database.connect_timeout
    with connect(
        replace(database.url, hosts=(_host(connection),)),
        application_name="larp-pooler-check",
        connect_timeout=seconds,
        autocommit=False,
    ) as other:
        return _session(other, seconds) == own or _session(connection, seconds) != own


def _session(connection: psycopg.Connection, seconds: float) -> Session:
    with limit_answer(connection, seconds):
        row = connection.execute(SESSION).fetchone()
    assert row is not None
    pid, start = row
    return pid, start


def _host(connection: psycopg.Connection) -> Host:
    """Name the one host of several to which a connection was made."""
    info = connection.info
    return Host(name=info.host, address=info.hostaddr, port=str(info.port))


def _refusal(database: Database, connection: psycopg.Connection) -> Refused:
    hint = "set DATABASE_MIGRATION_URL to the server itself"
    if database.url_setting == "DATABASE_MIGRATION_URL":
        hint += ", not to the pooler"
    return Refused(
        f"{database.url_setting} goes through a transaction pooler at {_host(connection)},"
        " where the migration lock would not hold",
        hint=hint,
    )
