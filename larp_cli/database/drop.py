"""Dropping the schema, and nothing but the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import Rollback, sql

from larp_cli.database.catalogue import schema_exists
from larp_cli.database.errors import translated_errors
from larp_cli.errors import Refused

if TYPE_CHECKING:
    import psycopg

    from larp_cli.database.target import Database

OBJECTS_OUTSIDE = """
SELECT classid, objid, objsubid FROM (
    SELECT 'pg_class'::regclass::oid AS classid, oid AS objid, 0 AS objsubid,
           relnamespace AS namespace
    FROM pg_class
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, c.relnamespace
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_type'::regclass, oid, 0, typnamespace FROM pg_type
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, 0, pronamespace FROM pg_proc
    UNION ALL
    SELECT 'pg_operator'::regclass, oid, 0, oprnamespace FROM pg_operator
    UNION ALL
    SELECT 'pg_constraint'::regclass, oid, 0, connamespace FROM pg_constraint
    UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, 0, c.relnamespace
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, 0, c.relnamespace
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, 0, c.relnamespace
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
) AS objects
WHERE namespace NOT IN (
    SELECT oid FROM pg_namespace WHERE nspname IN (%s, 'pg_toast')
)
"""
"""What lives in other schemas and could hang on ours: (class, object, column) each."""

type _Key = tuple[int, int, int]


def drop_schema(database: Database) -> None:
    """Drop the schema with all that is in it, in one transaction.

    ``CASCADE`` would also take a view, a foreign key or a column elsewhere that hangs on
    the schema; it is looked for afterwards, and the transaction is undone if it is missing.

    Raises:
        Refused: Something outside the schema hangs on it; nothing was dropped.
        DatabaseFailure: The schema could not be dropped.
    """
    with (
        database.connect(application_name="larp-reset") as connection,
        translated_errors(database.url),
    ):
        if database.lock_timeout is not None:
            milliseconds = max(1, round(database.lock_timeout * 1000))
            connection.execute(f"SET lock_timeout = {milliseconds}")
        if schema_exists(connection, database.schema):
            _drop(connection, database.schema)


def _drop(connection: psycopg.Connection, schema: str) -> None:
    with connection.transaction():
        before = _outside(connection, schema)
        with connection.transaction() as attempt:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            lost = before - _outside(connection, schema)
            if lost:
                raise Rollback(attempt)
        if lost:
            raise Refused(
                f"dropping the schema {schema} would also drop"
                f" {_described(connection, lost)}; nothing was dropped",
                hint="drop what hangs on the schema first, or move it into the schema",
            )


def _outside(connection: psycopg.Connection, schema: str) -> set[_Key]:
    return set(connection.execute(OBJECTS_OUTSIDE, (schema,)).fetchall())


def _described(connection: psycopg.Connection, lost: set[_Key]) -> str:
    shown = sorted(lost)[:5]
    names = [
        connection.execute("SELECT pg_describe_object(%s, %s, %s)", key).fetchone() for key in shown
    ]
    more = f" and {len(lost) - len(shown)} more" if len(lost) > len(shown) else ""
    return ", ".join(str(name[0]) for name in names if name is not None) + more
