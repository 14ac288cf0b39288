"""Create the schema, its extensions and its trigger function.

The extensions are ``uuid-ossp`` and ``pgcrypto``; the trigger function keeps ``updated_at``
current. A missing or forbidden extension is only a warning, because the application makes the
keys itself.

Revision ID: 4f1c7a9d2b60
Revises:
Create Date: 2026-11-22 19:00:00+00:00
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

revision: str = "4f1c7a9d2b60"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

EXTENSIONS = ("uuid-ossp", "pgcrypto")


def upgrade() -> None:
    """Create the schema, the available extensions and the trigger function."""
    schema = quoted_schema()
    # IF NOT EXISTS would require the CREATE privilege even if the schema exists.
    op.execute(f"""
        DO $body$
        BEGIN
            IF to_regnamespace('{schema}') IS NULL THEN
                CREATE SCHEMA {schema};
            END IF;
        END
        $body$
        """)
    create_extensions(schema)
    create_trigger_function(schema)
    restrict_version_table(schema)


def create_extensions(schema: str) -> None:
    """Create the extensions that the server has and the role may create."""
    for extension in EXTENSIONS:
        op.execute(f"""
            DO $body$
            BEGIN
                CREATE EXTENSION IF NOT EXISTS "{extension}" WITH SCHEMA {schema};
            EXCEPTION
                WHEN insufficient_privilege OR undefined_file OR feature_not_supported
                    OR invalid_parameter_value OR object_not_in_prerequisite_state THEN
                    RAISE WARNING 'continuing without extension {extension}: %', SQLERRM;
            END
            $body$
            """)


def create_trigger_function(schema: str) -> None:
    """Create the function that keeps ``updated_at`` current."""
    op.execute(f"""
        CREATE OR REPLACE FUNCTION {schema}.set_updated_at() RETURNS trigger
        LANGUAGE plpgsql AS $body$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END
        $body$
        """)


def restrict_version_table(schema: str) -> None:
    """Let only its owner change the version table.

    Default privileges give the application's role what is right for its own tables. A copy of
    what ``larp_cli.bookkeeping.tables`` does for larp's other tables: revisions do not change.
    """
    op.execute(f"""
        DO $body$
        DECLARE
            stamps CONSTANT regclass := '{schema}.{op.get_context().version_table}';
            grantee text;
        BEGIN
            FOR grantee IN
                WITH RECURSIVE owners AS (
                    SELECT relowner AS role FROM pg_class WHERE oid = stamps
                    UNION
                    SELECT m.roleid FROM pg_auth_members m JOIN owners o ON m.member = o.role
                )
                SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                ELSE quote_ident(pg_get_userbyid(a.grantee)) END
                FROM pg_class c, aclexplode(c.relacl) a
                WHERE c.oid = stamps AND a.privilege_type <> 'SELECT'
                  AND a.grantee NOT IN (SELECT role FROM owners)
            LOOP
                EXECUTE format('REVOKE ALL ON %s FROM %s', stamps, grantee);
                EXECUTE format('GRANT SELECT ON %s TO %s', stamps, grantee);
            END LOOP;
        END
        $body$
        """)


def downgrade() -> None:
    """Drop the function, and the extensions that are in the schema.

    The schema stays: the table that records this very revision is in it.
    """
    schema = quoted_schema()
    op.execute(f"DROP FUNCTION IF EXISTS {schema}.set_updated_at()")
    for extension in reversed(EXTENSIONS):
        op.execute(f"""
            DO $body$
            BEGIN
                IF EXISTS (
                    SELECT FROM pg_extension
                    WHERE extname = '{extension}' AND extnamespace = '{schema}'::regnamespace
                ) THEN
                    DROP EXTENSION "{extension}";
                END IF;
            END
            $body$
            """)


def quoted_schema() -> str:
    """Name the schema in which the version table is, as SQL."""
    context = op.get_context()
    schema = context.version_table_schema
    assert schema is not None
    return context.dialect.identifier_preparer.quote(schema)
