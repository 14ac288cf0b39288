"""Queries on PostgreSQL's catalog. Each query has a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from larp_cli.results import Blocker, LockHolder, ServerFacts, TableSize

if TYPE_CHECKING:
    import psycopg

    from larp_cli.postgres.database import Database

SERVER_FACTS = """
SELECT current_database(), current_user, split_part(current_setting('server_version'), ' ', 1),
       pg_is_in_recovery()
"""

SCHEMA_EXISTS = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)"

LOCK_HOLDERS = """
SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8
FROM pg_locks l
LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = %s AND l.objid = %s
ORDER BY l.pid
"""

NOT_BEING_BUILT = """
NOT EXISTS (SELECT FROM pg_locks l
            WHERE l.relation = i.indrelid AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
              AND l.pid <> pg_backend_pid())
"""
"""A session that builds an index concurrently holds this lock on the table, and every role can see
locks. pg_stat_progress_create_index shows a role only its own sessions."""

INVALID_INDEXES = f"""
SELECT n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_'
  AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s) AND {NOT_BEING_BUILT}
ORDER BY 1, 2
"""

EXTENSIONS_IN = """
SELECT e.extname
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE n.nspname = %s
ORDER BY 1
"""

TABLE_SIZES = """
SELECT c.relname, CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p')
ORDER BY 1
"""


INVALID_INDEXES_OF = f"""
SELECT n.nspname, c.relname
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid
WHERE i.indrelid = to_regclass(%(table)s) AND NOT i.indisvalid
  AND CASE WHEN %(index)s::text IS NULL
           THEN starts_with(c.relname, left(t.relname, 29)) AND c.relname ~ '_idx[0-9]*$'
           ELSE c.relname = (parse_ident(%(index)s))[1] END
  AND {NOT_BEING_BUILT}
"""

BLOCKERS = """
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''),
       coalesce(a.state, 'unknown'),
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8, a.query_start
FROM unnest(pg_blocking_pids(%s)) AS blocking(pid)
JOIN pg_stat_activity a USING (pid)
ORDER BY a.xact_start
"""

HOLDERS_IN = """
SELECT DISTINCT ON (a.xact_start, a.pid) a.pid, coalesce(a.application_name, ''),
       coalesce(a.usename, ''), coalesce(a.state, 'unknown'),
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8, a.query_start
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_stat_activity a USING (pid)
WHERE l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relnamespace = to_regnamespace(quote_ident(%(schema)s))
  AND (%(table)s::text IS NULL OR c.relname = %(table)s)
ORDER BY a.xact_start, a.pid
"""

INDEX_PROGRESS = """
SELECT p.phase, p.relid::regclass::text,
       CASE WHEN p.blocks_total > 0 THEN p.blocks_done ELSE p.tuples_done END,
       CASE WHEN p.blocks_total > 0 THEN p.blocks_total ELSE p.tuples_total END,
       CASE WHEN p.blocks_total > 0 THEN 'blocks' ELSE 'rows' END
FROM pg_stat_progress_create_index p
WHERE p.pid = %s
"""


def read_server_facts(connection: psycopg.Connection, database: Database) -> ServerFacts:
    """Read the server's version and role, and the database and user of the connection."""
    row = connection.execute(SERVER_FACTS).fetchone()
    assert row is not None
    name, user, version, standby = row
    return ServerFacts(
        host=describe_host(connection),
        database=name,
        user=user,
        version=version,
        standby=standby,
        embedded=database.embedded,
    )


def describe_host(connection: psycopg.Connection) -> str:
    """Return the host that this connection uses, one of possibly several in the URL."""
    info = connection.info
    return info.host if info.host.startswith("/") else f"{info.host}:{info.port}"


def schema_exists(connection: psycopg.Connection, schema: str) -> bool:
    """Return whether the schema exists."""
    return connection.execute(SCHEMA_EXISTS, (schema,)).fetchone() == (True,)


def find_lock_holders(connection: psycopg.Connection, key: int) -> tuple[LockHolder, ...]:
    """List the sessions that hold the advisory lock with this 64-bit key."""
    unsigned = key % 2**64
    rows = connection.execute(LOCK_HOLDERS, (unsigned >> 32, unsigned & 0xFFFFFFFF))
    return tuple(
        LockHolder(pid=pid, application=application, user=user, since_seconds=max(0.0, since))
        for pid, application, user, since in rows
    )


def find_blockers(connection: psycopg.Connection, pid: int) -> tuple[Blocker, ...]:
    """List the sessions that block a session, oldest transaction first."""
    return _blockers(connection.execute(BLOCKERS, (pid,)))


def find_table_users(
    connection: psycopg.Connection, schema: str, table: str | None = None
) -> tuple[Blocker, ...]:
    """List the other sessions that hold a lock on ``table``, or on any table of the schema."""
    return _blockers(connection.execute(HOLDERS_IN, {"schema": schema, "table": table}))


def _blockers(rows: Iterable[tuple[Any, ...]]) -> tuple[Blocker, ...]:
    return tuple(
        Blocker(
            pid=pid,
            application=application,
            user=user,
            state=state,
            transaction_seconds=max(0.0, age),
            query_started=query_started,
        )
        for pid, application, user, state, age, query_started in rows
    )


def describe_sessions(blockers: Sequence[Blocker]) -> str:
    """Identify sessions for an operator: pid, application, user, state, last query."""
    return ", ".join(
        f"pid {blocker.pid} ({blocker.application or 'unnamed'}, user {blocker.user},"
        f" {blocker.state}{_since(blocker)})"
        for blocker in blockers
    )


def _since(blocker: Blocker) -> str:
    if blocker.query_started is None:
        return ""
    return f", last query started {blocker.query_started:%H:%M:%S %Z}"


def read_index_progress(connection: psycopg.Connection, pid: int) -> str | None:
    """Read the progress of the index that a session is building, in PostgreSQL's terms.

    Source: PostgreSQL manual, "CREATE INDEX Progress Reporting".
    """
    row = connection.execute(INDEX_PROGRESS, (pid,)).fetchone()
    if row is None:
        return None
    phase, table, done, total, unit = row
    return f"index on {table}: {phase}" + (f", {done} of {total} {unit}" if total else "")


def find_invalid_indexes(
    connection: psycopg.Connection, schema: str | None
) -> tuple[tuple[str, str], ...]:
    """List the indexes that a failed ``CONCURRENTLY`` left behind: schema and name, unquoted.

    None as ``schema`` means all schemas except PostgreSQL's own.
    """
    rows = connection.execute(INVALID_INDEXES, {"schema": schema})
    return tuple((row[0], row[1]) for row in rows)


def find_all_invalid_indexes(connection: psycopg.Connection) -> frozenset[str]:
    """List the invalid indexes of the database as qualified, quoted names."""
    rows = connection.execute(INVALID_INDEXES, {"schema": None})
    return frozenset(row[2] for row in rows)


def read_table_sizes(connection: psycopg.Connection, schema: str) -> tuple[TableSize, ...]:
    """List the tables of a schema with the server's row estimates."""
    rows = connection.execute(TABLE_SIZES, (schema,))
    return tuple(TableSize(name=name, estimated_rows=estimate) for name, estimate in rows)


def find_extensions(connection: psycopg.Connection, schema: str) -> tuple[str, ...]:
    """List the extensions whose objects are in the schema."""
    return tuple(row[0] for row in connection.execute(EXTENSIONS_IN, (schema,)))


def read_server_major(connection: psycopg.Connection) -> int:
    """Return the server's major version."""
    return connection.info.server_version // 10000


def find_invalid_indexes_of_table(
    connection: psycopg.Connection, table: str, index: str | None
) -> tuple[tuple[str, str], ...]:
    """List the invalid indexes of a table that no session is building.

    ``table`` and ``index`` are names as written in SQL. None as ``index`` means the indexes that
    PostgreSQL named. Returns the schema and name of each index, unquoted.
    """
    rows = connection.execute(INVALID_INDEXES_OF, {"index": index, "table": table})
    return tuple((row[0], row[1]) for row in rows)
