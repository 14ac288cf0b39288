"""Waiting for a database that is not up yet."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from larp_cli.postgres.catalog import server_facts
from larp_cli.postgres.connection import within
from larp_cli.postgres.errors import DatabaseFailure, translated_errors
from larp_cli.results import DatabaseReady, ServerFacts

if TYPE_CHECKING:
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two tries: doubled after each, up to the longest."""


def wait_for_database(database: Database, observer: Observer, *, timeout: float) -> DatabaseReady:
    """Try until the database answers a query; an open port is not enough.

    Only errors that may pass by themselves are waited out: a wrong password is told at once.

    Args:
        database: The database.
        observer: Told why it is not there yet, once a reason.
        timeout: Seconds to go on trying; 0 tries once.

    Raises:
        DatabaseUnreachable: The last error, when the time is up.
    """
    began = time.monotonic()
    pause, told = FIRST_PAUSE, ""
    observer.started(f"waiting for {database.url.safe}")
    while True:
        left = began + timeout - time.monotonic()
        try:
            patience = min(database.connect_timeout, max(left, 1.0))
            facts = _facts(database, patience)
            return DatabaseReady(server=facts, waited_seconds=time.monotonic() - began)
        except DatabaseFailure as failure:
            left = began + timeout - time.monotonic()
            if not failure.transient or left <= 0:
                raise
            if failure.message != told:
                told = failure.message
                observer.waiting(told)
        time.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)


def _facts(database: Database, seconds: float) -> ServerFacts:
    """Connect and ask, within so many seconds: after the login libpq itself waits for ever."""
    deadline = time.monotonic() + seconds
    with translated_errors(database.url):
        connection = replace(database, connect_timeout=seconds).connect()

        def ask() -> ServerFacts:
            with connection:
                return server_facts(connection, database)

        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            try:
                return within(deadline - time.monotonic(), ask)
            finally:
                with suppress(OSError):  # the server hung up first
                    line.shutdown(socket.SHUT_RDWR)
