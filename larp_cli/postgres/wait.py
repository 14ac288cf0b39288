"""Wait for a database that is not up yet."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from larp_cli.postgres.catalog import read_server_facts
from larp_cli.postgres.connection import within
from larp_cli.postgres.errors import DatabaseFailure, translate_errors
from larp_cli.results import DatabaseReady, ServerFacts

if TYPE_CHECKING:
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts: doubled after each one, up to the longest."""


def wait_for_database(
    database: Database,
    observer: Observer,
    *,
    timeout: float,
    sleep: Callable[[float], object] = time.sleep,
) -> DatabaseReady:
    """Retry until the database answers a query. An open port is not enough.

    Only errors that can pass by themselves are retried. A wrong password fails at once.

    Args:
        database: The database to wait for.
        observer: Gets each reason why the database does not answer yet.
        timeout: Seconds to keep trying; 0 tries once.
        sleep: Waits so many seconds between two attempts. A true answer means: stop trying.

    Raises:
        DatabaseUnreachable: The time is up, or ``sleep`` said so. This is the last error.
    """
    began = time.monotonic()
    pause, reported = FIRST_PAUSE, ""
    observer.started(f"waiting for {database.url.safe}")
    while True:
        left = began + timeout - time.monotonic()
        try:
            facts = _read_facts(database, min(database.connect_timeout, max(left, 1.0)))
            return DatabaseReady(server=facts, waited_seconds=time.monotonic() - began)
        except DatabaseFailure as failure:
            left = began + timeout - time.monotonic()
            if not failure.transient or left <= 0:
                raise
            if failure.message != reported:
                reported = failure.message
                observer.waiting(f"the database: {reported}")
            if sleep(min(pause, left)):
                raise
        pause = min(pause * 2, LONGEST_PAUSE)


def _read_facts(database: Database, seconds: float) -> ServerFacts:
    """Connect and query within ``seconds``. After the login libpq has no timeout itself."""
    deadline = time.monotonic() + seconds
    with translate_errors(database.url):
        connection = replace(database, connect_timeout=seconds).connect()

        def ask() -> ServerFacts:
            with connection:
                return read_server_facts(connection, database)

        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            try:
                return within(deadline - time.monotonic(), ask)
            finally:
                with suppress(OSError):  # the server closed it first
                    line.shutdown(socket.SHUT_RDWR)
