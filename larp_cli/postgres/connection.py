"""One connection, within a bound on the wall clock. Light: psycopg alone."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg.abc import ConnDict
from psycopg.conninfo import make_conninfo

from larp_cli.postgres.errors import DatabaseFailure, combine_failures, is_final, translate
from larp_cli.postgres.psycopg_api import list_attempts
from larp_cli.postgres.url import DatabaseUrl
from larp_cli.system.deadlines import on_deadline

Value = TypeVar("Value")

type Connection = psycopg.Connection[tuple[Any, ...]]

# A peer that vanished without a word is noticed within about a minute, not after the two
# hours of the kernel's default: https://www.postgresql.org/docs/current/libpq-connect.html
# Text from a SQL_ASCII database would else arrive as bytes. What the URL says wins.
DEFAULTS: Mapping[str, str] = {
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "client_encoding": "UTF8",
}

TIMEOUTS = """
SELECT set_config('lock_timeout', coalesce(%(lock)s, current_setting('lock_timeout')), false),
       set_config('statement_timeout',
                  coalesce(%(statement)s, current_setting('statement_timeout')), false)
WHERE pg_backend_pid() = %(pid)s
"""
"""Not behind a pooler, whose pid is not the server's: the setting would go to somebody else."""


type Place = tuple[str, str, str]
"""Host, address and port as libpq takes them; the address may be empty."""


@dataclass(slots=True)
class LastHost:
    """Which of several hosts accepted the last connection; the next one tries it first.

    So a command waits for a dead host only once, and does not end up on another server.
    """

    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimeouts:
    """Timeouts of the server for one session, in seconds.

    0 switches one off. None leaves what the server has.
    """

    statement: float | None = None
    lock: float | None = None


THE_SERVERS_OWN = SessionTimeouts()


def connect(
    url: DatabaseUrl,
    *,
    application_name: str,
    connect_timeout: float,
    timeouts: SessionTimeouts = THE_SERVERS_OWN,
    autocommit: bool = True,
    last_host: LastHost | None = None,
) -> Connection:
    """Open a connection, trying the hosts in turn as libpq does.

    ``connect_timeout`` bounds the whole of it by the wall clock, in seconds: name lookup, every
    host and address, TLS, authentication. (libpq's own is per address, and leaves name lookup
    out.) Each address gets its share of what is left. ``timeouts`` are set once connected: as
    startup parameters PgBouncer would reject them. Behind a pooler they are not set.

    Raises:
        DatabaseFailure: no host let us in; its type and ``reason`` say why.
    """
    deadline = time.monotonic() + connect_timeout
    last_host = last_host or LastHost()
    attempts = _attempts(url, application_name, connect_timeout)
    if "load_balance_hosts" not in url.parameters:
        attempts.sort(key=lambda attempt: _place(attempt) != last_host.place)
    failures: list[DatabaseFailure] = []
    for index, attempt in enumerate(attempts):
        share = (deadline - time.monotonic()) / (len(attempts) - index)
        opened = partial(_open, attempt, share, timeouts, autocommit)
        try:
            connection = within(share, opened, discard=psycopg.Connection.close)
            last_host.place = _place(attempt)
            return connection
        except psycopg.Error as error:
            failure = translate(error, url, address=_address(attempt, url))
            failure.__cause__ = error
        failures.append(failure)
        if is_final(failure, url):
            raise failure
    raise combine_failures(failures, url)


def within(
    seconds: float,
    work: Callable[[], Value],
    *,
    discard: Callable[[Value], object] = lambda result: None,
) -> Value:
    """Run ``work``, and stop waiting for it after so many seconds of the wall clock.

    Name lookup and a server that hangs cannot be interrupted, only left behind: the work
    then ends on its own thread, and what it still brings is given to ``discard``.

    Raises:
        psycopg.errors.ConnectionTimeout: the time is up.
    """
    future: Future[Value] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    def clear_up(late: Future[Value]) -> None:
        with suppress(Exception):
            discard(late.result())

    threading.Thread(target=run, name="larp-within", daemon=True).start()
    try:
        wait([future], timeout=max(seconds, 0))
    except BaseException:
        # A signal ended the waiting: nobody else would take what is still coming.
        future.add_done_callback(clear_up)
        raise
    if not future.done():
        future.add_done_callback(clear_up)
        raise psycopg.errors.ConnectionTimeout("connection timeout expired")
    return future.result()


@contextmanager
def limit_answer(connection: Connection, seconds: float) -> Iterator[None]:
    """Hang up after so many seconds: a server that stopped dead keeps no timeout of its own.

    Raises:
        psycopg.errors.ConnectionTimeout: There was no answer; the connection is broken.
    """
    with on_deadline(seconds, lambda: hang_up(connection)) as expired:
        try:
            yield
        except psycopg.OperationalError as error:
            if expired.is_set():
                raise psycopg.errors.ConnectionTimeout("no answer in time") from error
            raise


def hang_up(connection: Connection) -> None:
    """End the line under a statement that does not return, from another thread."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


def _place(attempt: ConnDict) -> Place:
    host, address, port = (str(attempt.get(key) or "") for key in ("host", "hostaddr", "port"))
    return host, address, port


def _attempts(url: DatabaseUrl, application_name: str, seconds: float) -> list[ConnDict]:
    """Look the host names up, and give the parameters of each connection to try."""
    parameters: ConnDict = {
        **DEFAULTS,
        **url.parameters,
        "host": ",".join(host.name for host in url.hosts),
        "port": ",".join(host.port for host in url.hosts),
        "application_name": application_name,
    }
    if any(host.address for host in url.hosts):
        parameters["hostaddr"] = ",".join(host.address for host in url.hosts)
    try:
        return within(seconds, lambda: list_attempts(parameters))
    except psycopg.Error as error:
        raise translate(error, url) from error


def _open(
    attempt: ConnDict, seconds: float, timeouts: SessionTimeouts, autocommit: bool
) -> Connection:
    connection = psycopg.connect(
        make_conninfo("", **attempt),
        # Bounds the thread that is left behind; psycopg takes whole seconds, from two.
        connect_timeout=max(2, math.ceil(seconds)),
        autocommit=True,
        # A transaction pooler hands the next transaction to a session without our statements.
        prepare_threshold=None,
    )
    try:
        if timeouts != THE_SERVERS_OWN:
            given = {"statement": timeouts.statement, "lock": timeouts.lock}
            parameters = {name: milliseconds(value) for name, value in given.items()}
            connection.execute(TIMEOUTS, {**parameters, "pid": connection.info.backend_pid})
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def milliseconds(seconds: float | None) -> str | None:
    """Write seconds as PostgreSQL's timeouts want them; 0 switches one off."""
    if seconds is None:
        return None
    return str(max(1, round(seconds * 1000)) if seconds else 0)


def _address(attempt: ConnDict, url: DatabaseUrl) -> str:
    """Name the host of one attempt as the user knows it."""
    named = (attempt.get("host"), attempt.get("port"))
    matching = (host for host in url.hosts if (host.name, host.port) == named)
    return str(next(matching, url.address))
