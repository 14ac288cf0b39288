"""The revisions with which a database is stamped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.errors import ConfigurationError, LarpError, Locked
from larp_cli.postgres.catalog import describe_sessions, holders_in
from larp_cli.postgres.errors import translated_errors

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep

    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database


FOREIGN_BOOKKEEPING = "larp_bookkeeping"
"""Schema of larp's own tables beside a foreign project.

No role is likely to have this name: the search path begins with the schema that is called
like the role, and a new one would draw the project's unqualified tables into it.

Not beside the version table, where the project's autogenerate would propose to drop them.
One that looks at every schema (``include_schemas``) has to leave this one out itself.
"""

VERSION_TABLE_SCHEMA = """
SELECT coalesce(
    (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = to_regclass(quote_ident(%s))),
    current_schema(), 'public')
"""
"""As the session of env.py sees it: its search path may be its own."""

BOOKKEEPING_SCHEMA = """
WITH kept AS (
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname IN ('larp_ledger', 'larp_metadata') AND n.nspname IN (%(apart)s, %(beside)s)
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
"""Where the books are already, whoever asks; else where this role may begin them."""


def found(database: Database, project: Project) -> tuple[Database, tuple[str, ...]]:
    """Return what `placed` and `current_heads` do, without running env.py if its text will do.

    To look whether something is pending, and for nothing else.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    if project.own or project.version_table is None or not project.is_legible:
        database = placed(database, project)
        return database, current_heads(database)
    schema, table = project.version_table
    with database.connection() as connection:
        if schema is None:
            row = connection.execute(VERSION_TABLE_SCHEMA, (table,)).fetchone()
            assert row is not None
            schema = row[0]
        database = _kept_at(connection, database, schema, table)
        return database, read_heads(connection, database)


def placed(database: Database, project: Project) -> Database:
    """Return the database with the place in which the project keeps its version table.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    if project.own:
        return database
    schema, table = _look_into(database, project, _version_table)
    with database.connection() as connection:
        return _kept_at(connection, database, schema, table)


def _kept_at(
    connection: psycopg.Connection, database: Database, schema: str, table: str
) -> Database:
    """Return the database with this version table, and with where the books are."""
    row = connection.execute(
        BOOKKEEPING_SCHEMA, {"apart": FOREIGN_BOOKKEEPING, "beside": schema}
    ).fetchone()
    assert row is not None
    return replace(database, schema=schema, version_table=table, bookkeeping_schema=row[0])


def _version_table(context: MigrationContext) -> tuple[str, str]:
    """Say in which schema the version table is, or will be, and what it is called."""
    table = context.version_table
    if context.version_table_schema is not None:
        return context.version_table_schema, table
    assert context.connection is not None
    schema = context.connection.exec_driver_sql(VERSION_TABLE_SCHEMA, (table,)).scalar_one()
    return str(schema), table


def current_heads(database: Database) -> tuple[str, ...]:
    """Read the stamped revisions without a lock; empty when nothing was ever applied.

    ``database`` is one that `placed` has returned.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    with database.connection() as connection:
        return read_heads(connection, database)


def read_heads(connection: psycopg.Connection, database: Database) -> tuple[str, ...]:
    """Read the version table, where there is one.

    Raises:
        Locked: Somebody keeps it locked.
    """
    table = sql.Identifier(database.schema, database.version_table)
    found = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (table.as_string(connection),)
    ).fetchone()
    if found != (True,):
        return ()
    query = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(table)
    try:
        return tuple(row[0] for row in connection.execute(query))
    except psycopg.errors.LockNotAvailable as error:
        holders = holders_in(connection, database.schema, database.version_table)
        raise Locked(
            f"the version table {database.schema}.{database.version_table} is locked"
            f" by {describe_sessions(holders) or 'a session that is just ending'}",
            hint="let it end, or end it with pg_terminate_backend, and try again",
        ) from error


def _look_into[Found](
    database: Database, project: Project, look: Callable[[MigrationContext], Found]
) -> Found:
    """Ask the project's own env.py, which alone knows where its version table is.

    Raises:
        ConfigurationError: env.py does not run on the connection that it is given.
    """
    found: list[Found] = []

    def steps(  # noqa: D103 - local; the generic function around it confuses the linter
        _heads: object, context: MigrationContext
    ) -> list[RevisionStep]:
        found.append(look(context))
        return []

    with (
        _explained(project),
        translated_errors(database.url),
        database.engine() as engine,
        engine.connect() as connection,
    ):
        project.run_environment(connection, steps, dont_mutate=True)
        if connection.closed:
            raise closes_connection(project)
    if not found:
        raise ConfigurationError(
            f"the env.py of {project.config_file} runs no migrations",
            hint='let it take its connection from config.attributes["connection"]',
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"the env.py of {project.config_file} runs the migrations {len(found)} times,"
            " and larp can follow only one version table",
            hint="let env.py choose by a setting, and run larp once for each",
        )
    return found[0]


def closes_connection(project: Project) -> ConfigurationError:
    """Say what is wrong with an env.py after which the connection cannot be used any more."""
    return ConfigurationError(
        f"the env.py of {project.config_file} closes the connection it is given",
        hint="let env.py use config.attributes['connection'] without a with block",
    )


@contextmanager
def _explained(project: Project) -> Iterator[None]:
    """Blame an error that is not ours on the project's env.py, which ran."""
    try:
        yield
    except LarpError:
        raise
    except Exception as error:  # noqa: B902 - env.py may raise anything
        raise ConfigurationError(
            f"the env.py of {project.config_file} fails: {type(error).__name__}: {error}",
            hint=f"alembic -c {project.config_file} current",
        ) from error
