"""Looking into a database from outside of larp."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from larp_cli.migrations.graph import find_heads
from larp_cli.migrations.project import open_project
from larp_cli.migrations.run.lock import mutex_key
from larp_cli.postgres.embedded import installation
from larp_cli.postgres.url import normalise_url
from tests.processes import PATIENCE

SCHEMA = "larp_manager"

_graph = open_project(None, SCHEMA).graph
(HEAD,) = find_heads(_graph)
"""Newest revision of larp's own project."""
REVISIONS = tuple(_graph.down_revisions)
"""All of them, oldest first."""
FIRST = REVISIONS[0]
"""Its oldest."""


def name_of(url: str) -> str:
    """Name the database of a URL."""
    return url.rpartition("/")[2]


def query(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run one statement in a transaction of its own; returns its rows, if it has any."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def value(url: str, statement: str, *parameters: object) -> Any:
    """Run a query and return its only value."""
    ((found,),) = query(url, statement, *parameters)
    return found


def has(url: str, relation: str) -> bool:
    """Look whether a table, view or index is there."""
    return bool(value(url, "SELECT to_regclass(%s) IS NOT NULL", relation))


def versions(url: str, table: str = f"{SCHEMA}.alembic_version") -> list[str]:
    """Read a version table."""
    return [row[0] for row in query(url, f"SELECT version_num FROM {table} ORDER BY 1")]


def dump(url: str, *arguments: str) -> str:
    """Write the whole database as SQL, the same for the same database."""
    done = subprocess.run(
        [installation() / "pg_dump", *arguments],
        env=os.environ | normalise_url(url).environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    # \restrict carries a random key
    return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict")))


@contextmanager
def held_mutex(
    url: str, schema: str = SCHEMA, application: str = "somebody else"
) -> Iterator[psycopg.Connection]:
    """Hold the migration mutex of a schema in a session of our own."""
    with psycopg.connect(url, autocommit=True, application_name=application) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (mutex_key(schema),))
        yield connection


def until(happened: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Poll until something is true, at first quickly and then ten times a second."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def running(url: str, fragment: str) -> list[int]:
    """List the sessions of this database that run a statement with ``fragment`` in it."""
    rows = query(
        url,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE %s",
        f"%{fragment}%",
    )
    return [row[0] for row in rows]
