"""Drop the schema, and nothing outside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.errors import Locked, Refused
from larp_cli.postgres.catalog import describe_sessions, find_table_users, schema_exists
from larp_cli.postgres.errors import translate_errors

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase

OBJECTS_OUTSIDE = """
SELECT format('%s %s %s', classid, objid, objsubid) FROM (
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
    UNION ALL
    SELECT 'pg_rewrite'::regclass, r.oid, 0, c.relnamespace
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, oid, 0, stxnamespace FROM pg_statistic_ext
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, oid, 0, 0 FROM pg_event_trigger
    UNION ALL
    SELECT 'pg_cast'::regclass, c.oid, 0, s.typnamespace
    FROM pg_cast c JOIN pg_type s ON s.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget
    WHERE t.typnamespace <> coalesce(to_regnamespace(quote_ident(ours)), 0)
) AS objects
WHERE namespace NOT IN (
    SELECT oid FROM pg_namespace WHERE nspname IN (ours, 'pg_toast')
)
"""
"""Objects outside the schema that may depend on it, each as class, object and column."""

DROP = f"""
DECLARE
    ours CONSTANT name := {{schema}};
    owner_before CONSTANT name :=
        (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ours);
    outside_before CONSTANT text[] := ARRAY({OBJECTS_OUTSIDE});
    lost text[];
BEGIN
    BEGIN
        EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', ours);
        lost := ARRAY(SELECT unnest(outside_before) EXCEPT {OBJECTS_OUTSIDE} ORDER BY 1);
        IF cardinality(lost) > 0 THEN
            RAISE SQLSTATE 'LARP1';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LARP1' THEN
        NULL;  -- this undoes the drop, so that the dependent objects can be named
    END;
    IF cardinality(lost) > 0 THEN
        RAISE dependent_objects_still_exist USING MESSAGE = (
            SELECT format('dropping the schema %s would also drop %s%s', ours,
                string_agg(pg_describe_object(part[1]::oid, part[2]::oid, part[3]::int), ', '),
                ' and ' || nullif(greatest(cardinality(lost) - 5, 0), 0) || ' more')
            FROM unnest(lost[1:5]) AS key, string_to_array(key, ' ') AS part
        );
    END IF;
    IF {{create}} THEN
        EXECUTE format('CREATE SCHEMA %I', ours);
        IF ours = 'public' THEN
            GRANT USAGE ON SCHEMA public TO PUBLIC;
        END IF;
        IF owner_before <> current_user THEN
            EXECUTE format('ALTER SCHEMA %I OWNER TO %I', ours, owner_before);
        END IF;
    END IF;
END
"""
"""Body of a DO: drops the schema, or nothing if an object outside depends on it."""


def drop_schema(database: ManagedDatabase) -> None:
    """Drop the schema with everything in it and create an empty one, in one transaction.

    The revisions of other projects do not create their schema.

    Raises:
        Refused: An object outside the schema depends on it. Nothing was dropped.
        Locked: A table stayed locked. Nothing was dropped.
        DatabaseFailure: The schema could not be dropped.
    """
    unlimited = replace(database, statement_timeout=None)
    with (
        unlimited.connect(application_name="larp-reset") as connection,
        translate_errors(database.url),
    ):
        if schema_exists(connection, database.schema):
            _drop(connection, database.schema)


def _drop(connection: psycopg.Connection, schema: str) -> None:
    try:
        connection.execute(drop_statement(schema, create=True))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise dependents_refused(f"{error.diag.message_primary}; nothing was dropped") from error
    except psycopg.errors.LockNotAvailable as error:
        holders = describe_sessions(find_table_users(connection, schema))
        raise Locked(
            f"a table of the schema {schema} is in use"
            f" by {holders or 'a session that is just ending'}; nothing was dropped",
            hint="wait until it ends, or end it with pg_terminate_backend, and try again",
        ) from error


def drop_statement(schema: str, *, create: bool) -> sql.Composed:
    """Write the statement that drops the schema, and creates an empty one if ``create``.

    ``CASCADE`` also drops views, foreign keys or columns in other schemas that depend on this
    one. The statement compares the catalog before and after. If such an object is gone, it rolls
    back and fails with SQLSTATE 2BP01 (dependent_objects_still_exist).
    """
    body = sql.SQL(DROP).format(schema=sql.Literal(schema), create=sql.Literal(create))
    return sql.SQL("DO {}").format(sql.Literal(body.as_string(None)))


def dependents_refused(message: str) -> Refused:
    """Return the error for a schema that objects outside depend on."""
    return Refused(message, hint="drop these objects first, or move them into the schema")
