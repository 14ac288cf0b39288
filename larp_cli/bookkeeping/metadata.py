"""Facts about a database that larp keeps in the database itself, by key."""

from __future__ import annotations

import psycopg
from psycopg import sql

from larp_cli.bookkeeping.tables import METADATA, Bookkeeping

WRITE = """
INSERT INTO {} (key, value) VALUES ({}, {})
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()
WHERE {}.value IS DISTINCT FROM excluded.value
"""

DELETE = "DELETE FROM {} WHERE starts_with(key, %s)"


def read_metadata(connection: psycopg.Connection, bookkeeping: Bookkeeping, key: str) -> str | None:
    """Read the value of ``key``; None if it has none, or there is no table yet.

    A role that may not read the table gets an error: a guard must not take that for None.
    """
    if not bookkeeping.exists(connection, METADATA):
        return None
    query = sql.SQL("SELECT value FROM {} WHERE key = %s")
    table = bookkeeping.identifier_of(METADATA)
    try:
        row = connection.execute(query.format(table), (key,)).fetchone()
    except psycopg.errors.UndefinedTable:  # a reset has just dropped it
        return None
    return None if row is None else row[0]


def peek_metadata(connection: psycopg.Connection, bookkeeping: Bookkeeping, key: str) -> str | None:
    """Read the value of ``key``; None also if this role may not read the table."""
    if not bookkeeping.is_readable(connection, METADATA):
        return None
    return read_metadata(connection, bookkeeping, key)


def write_metadata(
    connection: psycopg.Connection, bookkeeping: Bookkeeping, key: str, value: str
) -> None:
    """Set the value of ``key``; call it with the migration mutex held."""
    bookkeeping.ensure(connection, METADATA)
    connection.execute(_write(bookkeeping, key, value))


def write_metadata_statements(bookkeeping: Bookkeeping, key: str, value: str) -> list[sql.Composed]:
    """Write what `write_metadata` does as SQL, for a session that is not ours."""
    return [bookkeeping.definition_of(METADATA), _write(bookkeeping, key, value)]


def delete_metadata(connection: psycopg.Connection, bookkeeping: Bookkeeping, prefix: str) -> None:
    """Delete every key that begins with ``prefix``."""
    if bookkeeping.exists(connection, METADATA):
        table = bookkeeping.identifier_of(METADATA)
        connection.execute(sql.SQL(DELETE).format(table), (prefix,))


def _write(bookkeeping: Bookkeeping, key: str, value: str) -> sql.Composed:
    table = bookkeeping.identifier_of(METADATA)
    return sql.SQL(WRITE).format(
        table, sql.Literal(key), sql.Literal(value), sql.Identifier(METADATA)
    )
