"""larp's own tables in a database: names, definitions, grants, and where they are.

In larp's own project they are beside the version table. For another Alembic project they are
in a schema of their own, because that project's autogenerate would propose to drop them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import errors, sql

from larp_cli.postgres.catalog import schema_exists

LEDGER = "larp_ledger"
METADATA = "larp_metadata"
BOOKKEEPING_TABLES = (METADATA, LEDGER)
"""Every table that larp makes for itself."""

FOREIGN_SCHEMA = "larp_bookkeeping"
"""Schema of larp's tables for another project, where the role may create it.

It is not named like a role: a search path begins with the schema of the role's name, and the
project's unqualified tables would end up there.
"""

DEFAULT_VERSION_TABLE = "alembic_version"
"""Alembic's own name for the version table."""

CREATE_METADATA = """
CREATE TABLE IF NOT EXISTS {} (
    key text PRIMARY KEY,
    value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""

CREATE_LEDGER = """
CREATE TABLE IF NOT EXISTS {} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_table text NOT NULL,
    revision text NOT NULL,
    direction text NOT NULL,
    outcome text NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    operator text NOT NULL,
    host text NOT NULL,
    database_user text NOT NULL DEFAULT current_user,
    larp_version text NOT NULL,
    file_sha256 text,
    error text
)
"""

_DEFINITIONS = {METADATA: CREATE_METADATA, LEDGER: CREATE_LEDGER}

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
"""Body of a DO. Default privileges may let the application's role write to every new table.

A group that the owner belongs to keeps its rights: its members take turns in migrating.
"""

EXISTS = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = %s AND c.relname = %s)
"""

READABLE = """
SELECT coalesce(bool_or(has_schema_privilege(n.oid, 'USAGE')
                        AND has_table_privilege(c.oid, 'SELECT')), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""

FIND_SCHEMA = """
WITH kept AS (
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (%(tables)s) AND n.nspname IN (%(apart)s, %(beside)s)
)
SELECT CASE
    WHEN %(apart)s IN (SELECT nspname FROM kept) THEN %(apart)s
    WHEN %(beside)s IN (SELECT nspname FROM kept) THEN %(beside)s
    WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = %(apart)s)
        AND has_database_privilege(current_database(), 'CREATE') THEN %(apart)s
    WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = %(apart)s
                 AND has_schema_privilege(oid, 'CREATE')) THEN %(apart)s
    ELSE %(beside)s
END
"""
"""Where larp's tables are, for every role alike; where there are none, where this role may
create them."""


@dataclass(frozen=True, slots=True)
class VersionTable:
    """The table in which Alembic keeps the revisions of a database."""

    schema: str
    name: str = DEFAULT_VERSION_TABLE

    @property
    def identifier(self) -> sql.Identifier:
        """The qualified name, as SQL writes it."""
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        """Return the qualified name without quotes, which is the ledger's name for a project."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """Where larp's own tables are, and for which version table."""

    schema: str
    version_table: VersionTable

    @property
    def is_beside_version_table(self) -> bool:
        """Whether larp's tables are dropped, dumped and restored with the project's schema."""
        return self.schema == self.version_table.schema

    def identifier_of(self, table: str) -> sql.Identifier:
        """Return a table's qualified name, as SQL writes it."""
        return sql.Identifier(self.schema, table)

    def exists(self, connection: psycopg.Connection, table: str) -> bool:
        """Look whether the table is there; needs no right on it."""
        return connection.execute(EXISTS, (self.schema, table)).fetchone() == (True,)

    def is_readable(self, connection: psycopg.Connection, table: str) -> bool:
        """Look whether the table is there and this role may read it."""
        return connection.execute(READABLE, (self.schema, table)).fetchone() == (True,)

    def ensure(self, connection: psycopg.Connection, table: str) -> None:
        """Create the table where it is missing, and make it the owner's alone to write.

        Call it outside of a transaction, or with the migration mutex held. The migrator of
        another project may create the same table at the same moment: ``IF NOT EXISTS`` looks
        first and creates then, and the second of the two fails in the catalog.
        """
        if self.exists(connection, table):
            return
        _ensure_schema(connection, self.schema)
        name = self.identifier_of(table)
        with suppress(errors.DuplicateTable, errors.DuplicateObject, errors.UniqueViolation):
            connection.execute(sql.SQL(_DEFINITIONS[table]).format(name))
            connection.execute(revoke_writing(name))

    def definition_of(self, table: str) -> sql.Composed:
        """Write the statement that creates a table, for a session that is not ours."""
        return sql.SQL(_DEFINITIONS[table]).format(self.identifier_of(table))


def find_bookkeeping(connection: psycopg.Connection, version_table: VersionTable) -> Bookkeeping:
    """Find where larp's tables for another project are, or where they will be created."""
    row = connection.execute(
        FIND_SCHEMA,
        {
            "tables": list(BOOKKEEPING_TABLES),
            "apart": FOREIGN_SCHEMA,
            "beside": version_table.schema,
        },
    ).fetchone()
    assert row is not None
    return Bookkeeping(row[0], version_table)


def revoke_writing(table: sql.Identifier) -> sql.Composed:
    """Write the statement that leaves other roles than a table's owner only SELECT."""
    body = sql.SQL(ONLY_OWNER_WRITES).format(table=sql.Literal(table.as_string()))
    return sql.SQL("DO {}").format(sql.Literal(body.as_string()))


def _ensure_schema(connection: psycopg.Connection, schema: str) -> None:
    """Create a schema where it is missing, even if another migration does so at this moment.

    ``IF NOT EXISTS`` alone needs the right to create schemas even where the schema exists.
    """
    if not schema_exists(connection, schema):
        with suppress(errors.DuplicateSchema, errors.UniqueViolation):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
