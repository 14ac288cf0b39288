"""The health checks. Each is a function that runs one query and reports a result.

To add a check, write the function and add it to `CHECKS`. It gets an open connection in
autocommit mode, every HEALTH_INTERVAL seconds. Run one statement, and lock only what it reads.
An exception of the driver makes the check fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from larp_cli.bookkeeping.ledger import find_readable_ledger
from larp_cli.bookkeeping.tables import VersionTable
from larp_cli.health.target import HealthTarget
from larp_cli.migrations.graph import find_pending, find_state, find_unknown
from larp_cli.postgres.catalog import find_invalid_indexes
from larp_cli.results import DatabaseState
from larp_cli.results.health import CheckStatus, Reason

OLDEST_SERVER = 15
LAG_SECONDS = 30.0
"""A standby that is further behind than this is reported as lagging."""
SAME_SECONDS, SKEW_SECONDS = 0.1, 2.0
"""Clocks that differ by less agree. Clocks that differ by more break tokens and timestamps."""
CONNECTIONS_WARN, CONNECTIONS_FAIL = 0.8, 0.95
"""Share of the connections available to ordinary roles."""

WRITABLE = """
SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
       CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
            END::float8,
       EXISTS (SELECT FROM pg_stat_wal_receiver)
"""
"""A standby that has replayed all it received is not behind, however long ago that was."""

VERSION_TABLE = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""

CONNECTIONS = """
SELECT CASE WHEN pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
            THEN (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
            ELSE (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database) END::int,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0)
"""
"""A role without pg_read_all_stats gets a sum that also counts parallel workers."""

EXTENSIONS = """
SELECT a.name, a.installed_version IS NOT NULL FROM pg_available_extensions a
WHERE a.name = ANY (%s)
"""


@dataclass(slots=True)
class CheckContext:
    """What the checks of one run share: the connection, and what earlier checks found."""

    target: HealthTarget
    connection: psycopg.Connection
    schema: str | None = None
    """Schema in which the version table was found."""
    unseen: Reason | None = None
    """Why the schema could not be checked; None if it could."""
    current: tuple[str, ...] | None = None
    pending: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a check found."""

    status: CheckStatus
    observed: str
    reason: Reason | None = None
    hint: str | None = None


def passed(observed: str) -> Observation:
    """Report that nothing is wrong."""
    return Observation(CheckStatus.PASS, observed)


def warned(observed: str, reason: Reason, hint: str | None = None) -> Observation:
    """Report something that needs attention."""
    return Observation(CheckStatus.WARN, observed, reason, hint)


def failed(observed: str, reason: Reason, hint: str | None = None) -> Observation:
    """Report that the database cannot be used."""
    return Observation(CheckStatus.FAIL, observed, reason, hint)


def check_answer(context: CheckContext) -> Observation:
    """The database answers a query."""
    began = time.monotonic()
    context.connection.execute("SELECT 1")
    return passed(f"answers in {(time.monotonic() - began) * 1000:.1f} ms")


def check_version(context: CheckContext) -> Observation:
    """The server runs PostgreSQL 15 or newer."""
    number = context.connection.info.server_version
    observed = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number // 10000 < OLDEST_SERVER:
        hint = f"upgrade the server to PostgreSQL {OLDEST_SERVER} or newer"
        return failed(observed, Reason.VERSION_UNSUPPORTED, hint)
    return passed(observed)


def check_writable(context: CheckContext) -> Observation:
    """The server accepts writes: it is a primary, and transactions are not read-only."""
    row = context.connection.execute(WRITABLE).fetchone()
    assert row is not None
    standby, read_only, lag, follows = row
    if standby:
        behind = "nothing replayed yet" if lag is None else f"{max(lag, 0):.1f} s behind"
        behind += "" if follows else ", not connected to its primary"
        late = lag is not None and lag > LAG_SECONDS
        return failed(
            f"standby, {behind}",
            Reason.REPLICATION_LAG if late else Reason.READ_ONLY,
            "list every host in DATABASE_URL and add ?target_session_attrs=read-write",
        )
    if read_only:
        hint = "check default_transaction_read_only of the server, the database and the role"
        return failed("transactions are read-only", Reason.READ_ONLY, hint)
    return passed("primary, accepts writes")


def check_schema(context: CheckContext) -> Observation:
    """The schema and its version table exist."""
    target = context.target
    path = (
        (target.version_table,)
        if target.schema is None
        else (
            target.schema,
            target.version_table,
        )
    )
    name = sql.Identifier(*path).as_string(context.connection)
    row = context.connection.execute(VERSION_TABLE, (name,)).fetchone()
    if row is None:
        return failed(f"{name} does not exist", Reason.NOT_INITIALISED, "larp db init")
    context.schema = row[0]
    return passed(f"schema {context.schema} exists")


def check_revision(context: CheckContext) -> Observation:
    """Every revision of this code is applied, and no newer one."""
    if context.unseen is not None:
        return failed("unknown: the schema could not be checked", context.unseen)
    if context.schema is None:
        return failed("no revision was ever applied", Reason.NOT_INITIALISED, "larp db init")
    table = sql.Identifier(context.schema, context.target.version_table)
    rows = context.connection.execute(
        sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(table)
    )
    context.current = tuple(row[0] for row in rows)
    graph = context.target.graph
    context.pending = find_pending(graph, context.current)
    state = find_state(graph, context.current)
    if state is DatabaseState.AHEAD:
        unknown = ", ".join(find_unknown(graph, context.current))
        observed = f"at {unknown}, which this code does not have"
        return failed(
            observed, Reason.SCHEMA_AHEAD, "deploy the newer code; larp db status shows which"
        )
    if state is DatabaseState.NOT_INITIALISED:
        return failed("no revision is applied", Reason.NOT_INITIALISED, "larp db init")
    if state is DatabaseState.BEHIND:
        count = len(context.pending)
        pending = "1 revision is" if count == 1 else f"{count} revisions are"
        return failed(f"{pending} pending", Reason.SCHEMA_BEHIND, "larp db migrate")
    return passed(f"at {', '.join(context.current) or 'base'}, nothing pending")


def check_connections(context: CheckContext) -> Observation:
    """Less than 80 % of the server's connections are in use; fails at 95 %."""
    row = context.connection.execute(CONNECTIONS).fetchone()
    assert row is not None
    used, available = row
    share = used / available if available else 1.0
    observed = f"{used} of {available} connections used ({share:.0%})"
    hint = "raise max_connections, lower DATABASE_POOL_SIZE, or add a connection pooler"
    if share >= CONNECTIONS_FAIL:
        return failed(observed, Reason.CONNECTIONS_HIGH, hint)
    if share >= CONNECTIONS_WARN:
        return warned(observed, Reason.CONNECTIONS_HIGH, hint)
    return passed(observed)


def check_extensions(context: CheckContext) -> Observation:
    """The extensions that larp uses are installed, as far as the server has them."""
    wanted = context.target.extensions
    available = dict(_find_available_extensions(context, wanted))
    missing = sorted(name for name, installed in available.items() if not installed)
    if missing:
        create = f'CREATE EXTENSION "{missing[0]}"'
        hint = f"run as a privileged role: {create}"
        return warned(f"not installed: {', '.join(missing)}", Reason.EXTENSION_MISSING, hint)
    return passed(f"installed: {', '.join(sorted(available))}" if available else "none required")


def _find_available_extensions(
    context: CheckContext, wanted: tuple[str, ...]
) -> list[tuple[str, bool]]:
    return list(context.connection.execute(EXTENSIONS, (list(wanted),))) if wanted else []


def check_indexes(context: CheckContext) -> Observation:
    """No failed CREATE INDEX CONCURRENTLY has left an invalid index."""
    found = find_invalid_indexes(context.connection, context.schema or context.target.schema)
    invalid = [name for _, name in found]
    if invalid:
        hint = (
            "larp db migrate rebuilds indexes of its revisions; others: REINDEX INDEX CONCURRENTLY"
        )
        return warned(f"invalid: {', '.join(invalid)}", Reason.INDEX_INVALID, hint)
    return passed("all valid")


def check_ledger(context: CheckContext) -> Observation:
    """The last run of a revision succeeded."""
    if context.schema is None:
        return passed("no run recorded")
    version_table = VersionTable(context.schema, context.target.version_table)
    found = find_readable_ledger(
        context.connection, (*context.target.ledger_schemas, context.schema), version_table
    )
    run = None if found is None else found.read_last_outcome(context.connection)
    if run is None:
        return passed("no run recorded")
    name, outcome = run
    if outcome != "succeeded":
        observed = f"the last run of a revision, {name}, {outcome}"
        return warned(observed, Reason.MIGRATION_FAILED, "larp db history")
    return passed("the last run succeeded")


def check_clock(context: CheckContext) -> Observation:
    """The server's clock and this machine's clock differ by at most 2 seconds."""
    before = datetime.now(UTC)
    row = context.connection.execute("SELECT clock_timestamp()").fetchone()
    after = datetime.now(UTC)
    assert row is not None
    skew = (row[0] - (before + (after - before) / 2)).total_seconds()
    observed = f"the server's clock is {abs(skew):.3f} s {'ahead' if skew > 0 else 'behind'}"
    if abs(skew) < SAME_SECONDS:
        observed = "the clocks agree"
    if abs(skew) > SKEW_SECONDS:
        return warned(observed, Reason.CLOCK_SKEW, "synchronise both clocks (NTP)")
    return passed(observed)


def check_configuration(target: HealthTarget) -> Observation:
    """No setting is questionable. A wrong setting stops larp before any check."""
    if target.warnings:
        return warned("; ".join(target.warnings), Reason.CONFIGURATION, "larp config check")
    return passed("the settings are valid")


CHECKS: dict[str, Callable[[CheckContext], Observation]] = {
    "database": check_answer,
    "version": check_version,
    "writable": check_writable,
    "schema": check_schema,
    "revision": check_revision,
    "connections": check_connections,
    "extensions": check_extensions,
    "indexes": check_indexes,
    "ledger": check_ledger,
    "clock": check_clock,
}
"""By name, in the order in which they run. The others need the first."""

NAMES = (*CHECKS, "configuration")

READY = ("database", "writable", "schema", "revision")
"""The checks that decide whether a service that uses this database is ready."""
