"""All that is in a schema, as PostgreSQL's catalogue and the rows themselves tell it."""

from __future__ import annotations

import psycopg
from psycopg import sql

QUESTIONS = {
    "schema": """
        SELECT nspname, pg_get_userbyid(nspowner), nspacl::text,
               obj_description(oid, 'pg_namespace')
        FROM pg_namespace WHERE nspname = %(schema)s
    """,
    "relations": """
        SELECT relname, relkind, relpersistence, pg_get_userbyid(relowner), relacl::text,
               relrowsecurity, reloptions, relispartition, obj_description(oid, 'pg_class'),
               CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END,
               pg_get_expr(relpartbound, oid), pg_get_partkeydef(oid)
        FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind <> 't'
    """,
    "columns": """
        SELECT attrelid::regclass::text, row_number() OVER (PARTITION BY attrelid ORDER BY attnum),
               attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
               attcollation::regcollation::text, attstorage, col_description(attrelid, attnum),
               pg_get_expr(adbin, adrelid)
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = %(schema)s::regnamespace AND attnum > 0 AND NOT attisdropped
          AND relkind <> 't'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace
    """,
    "indexes": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid, indisclustered
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = %(schema)s::regnamespace AND indrelid::regclass::text !~ 'pg_toast'
    """,
    "triggers": """
        SELECT tgname, pg_get_triggerdef(pg_trigger.oid), tgenabled
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = %(schema)s::regnamespace AND NOT tgisinternal
    """,
    "policies": """
        SELECT polrelid::regclass::text, polname, polcmd, pg_get_expr(polqual, polrelid)
        FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
        WHERE relnamespace = %(schema)s::regnamespace
    """,
    "functions": """
        SELECT p.oid::regprocedure::text, pg_get_userbyid(proowner), proacl::text,
               CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END
        FROM pg_proc p WHERE pronamespace = %(schema)s::regnamespace
    """,
    "types": """
        SELECT typname, typtype, pg_get_userbyid(typowner), format_type(typbasetype, typtypmod),
               ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
                     ORDER BY enumsortorder)
        FROM pg_type t WHERE typnamespace = %(schema)s::regnamespace AND typname !~ '^pg_toast'
    """,
    "extensions": """
        SELECT extname, extversion, extnamespace::regnamespace::text,
               obj_description(oid, 'pg_extension')
        FROM pg_extension
    """,
    "default privileges": """
        SELECT pg_get_userbyid(defaclrole), defaclobjtype, defaclacl::text
        FROM pg_default_acl WHERE defaclnamespace = %(schema)s::regnamespace
    """,
}

TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('r', 'm')
"""

SEQUENCES = """
SELECT relname, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle
FROM pg_sequence JOIN pg_class ON oid = seqrelid
WHERE relnamespace = %(schema)s::regnamespace
"""

type Catalogue = dict[str, list[str]]


def catalogue(url: str, schema: str) -> Catalogue:
    """Describe the schema: definitions, rows, and where the sequences stand."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,):
            return {}
        connection.execute("SET search_path = ''")
        parameters = {"schema": schema}
        found = {
            what: sorted(map(repr, connection.execute(question.encode(), parameters)))
            for what, question in QUESTIONS.items()
        }
        for (name,) in connection.execute(TABLES, parameters).fetchall():
            rows = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name))
            found[f"rows of {name}"] = sorted(map(repr, connection.execute(rows)))
        for name, *properties in connection.execute(SEQUENCES, parameters).fetchall():
            value = sql.SQL("SELECT last_value, is_called FROM {}")
            stands = connection.execute(value.format(sql.Identifier(schema, name))).fetchone()
            found[f"sequence {name}"] = [repr((properties, stands))]
        return found
