"""What larp notes in the database about the database: its environment, its seeds."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg import sql

from larp_cli.postgres.catalog import schema_exists

TABLE = "larp_metadata"
OURS = (TABLE, "larp_ledger")
"""The tables that larp keeps beside the version table."""

CREATE = """
CREATE TABLE IF NOT EXISTS {} (
    key text PRIMARY KEY,
    value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""

WRITE = """
INSERT INTO {} (key, value) VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()
WHERE {}.value IS DISTINCT FROM excluded.value
"""

FORGET = "DELETE FROM {} WHERE starts_with(key, %s)"


def read(connection: psycopg.Connection, schema: str, key: str) -> str | None:
    """Read what is noted under ``key``; None where nothing is, or no table yet.

    A role that may not read it gets an error: a guard must not take that for "nothing".
    """
    table = sql.Identifier(schema, TABLE)
    if not is_there(connection, schema, TABLE):
        return None
    query = sql.SQL("SELECT value FROM {} WHERE key = %s").format(table)
    try:
        row = connection.execute(query, (key,)).fetchone()
    except psycopg.errors.UndefinedTable:  # a reset has just dropped it
        return None
    return None if row is None else row[0]


def write(connection: psycopg.Connection, schema: str, key: str, value: str) -> None:
    """Note ``value`` under ``key``; call it with the migration mutex held."""
    table = sql.Identifier(schema, TABLE)
    ensure_schema(connection, schema)
    create_table(connection, schema, TABLE, CREATE)
    connection.execute(sql.SQL(WRITE).format(table, sql.Identifier(TABLE)), (key, value))


def ensure_schema(connection: psycopg.Connection, schema: str) -> None:
    """Create a schema where it is missing, also when another project's larp does so too.

    ``IF NOT EXISTS`` alone would ask for the right to create schemas where it exists.
    """
    if not schema_exists(connection, schema):
        with suppress(psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))


def create_table(connection: psycopg.Connection, schema: str, table: str, create: str) -> None:
    """Create a table of ours where it is missing, also when another project's larp does so too.

    ``IF NOT EXISTS`` looks, and then creates: of two at once one may find the other's row in
    the catalog. Call it outside of a transaction, or with the migration mutex held.
    ``create`` is the statement, with ``{}`` for the table's name.
    """
    if is_there(connection, schema, table):
        return
    errors = psycopg.errors
    name = sql.Identifier(schema, table)
    with suppress(errors.DuplicateTable, errors.DuplicateObject, errors.UniqueViolation):
        connection.execute(sql.SQL(create).format(name))
        connection.execute(sql.SQL("DO {}").format(sql.Literal(only_owner_writes(name))))


ONLY_OWNER_WRITES = """
DECLARE
    ours CONSTANT regclass := to_regclass({table});
    grantee text;
BEGIN
    FOR grantee IN
        WITH RECURSIVE owners AS (
            SELECT relowner AS role FROM pg_class WHERE oid = ours
            UNION
            SELECT m.roleid FROM pg_auth_members m JOIN owners o ON m.member = o.role
        )
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                        ELSE quote_ident(pg_get_userbyid(a.grantee)) END
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = ours AND a.privilege_type <> 'SELECT'
          AND a.grantee NOT IN (SELECT role FROM owners)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', ours, grantee);
        EXECUTE format('GRANT SELECT ON %s TO %s', ours, grantee);
    END LOOP;
END
"""
"""Body of a DO: default privileges give the application's role what is right for its tables.

A group of which the owner is a member keeps its rights: its members take turns in migrating.
"""


def only_owner_writes(table: sql.Identifier) -> str:
    """Write the body of a DO by which a table that guards others is the owner's to write."""
    return sql.SQL(ONLY_OWNER_WRITES).format(table=sql.Literal(table.as_string())).as_string()


def statements(schema: str, key: str, value: str) -> list[str]:
    """Write what `write` does as SQL, for a session that is not ours."""
    table = sql.Identifier(schema, TABLE)
    values = WRITE.replace("%s, %s", "{}, {}")
    write = sql.SQL(values).format(
        table, sql.Literal(key), sql.Literal(value), sql.Identifier(TABLE)
    )
    return [sql.SQL(CREATE).format(table).as_string(), write.as_string()]


def forget(connection: psycopg.Connection, schema: str, prefix: str) -> None:
    """Forget what is noted under keys that begin with ``prefix``."""
    table = sql.Identifier(schema, TABLE)
    if is_there(connection, schema, TABLE):
        connection.execute(sql.SQL(FORGET).format(table), (prefix,))


THERE = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = %s AND c.relname = %s)
"""

READABLE = """
SELECT coalesce(bool_or(has_schema_privilege(n.oid, 'USAGE')
                        AND has_table_privilege(c.oid, 'SELECT')), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def look(connection: psycopg.Connection, schema: str, key: str) -> str | None:
    """Read as `read` does, for who only looks; None also where this role may not read it."""
    return read(connection, schema, key) if is_readable(connection, schema, TABLE) else None


def is_there(connection: psycopg.Connection, schema: str, table: str) -> bool:
    """Look whether a table of ours is there, whoever may read it."""
    return connection.execute(THERE, (schema, table)).fetchone() == (True,)


def is_readable(connection: psycopg.Connection, schema: str, table: str) -> bool:
    """Look whether a table of ours is there, and this role may read it.

    Who may only read the project's tables has no right on ours, and needs none to look.
    """
    return connection.execute(READABLE, (schema, table)).fetchone() == (True,)
