"""Locate and read the version table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.bookkeeping.tables import VersionTable
from larp_cli.errors import ConfigurationError, LarpError, Locked
from larp_cli.migrations.alembic_api import read_version_table
from larp_cli.postgres.catalog import describe_sessions, find_table_users
from larp_cli.postgres.errors import translate_errors

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep

    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database


VERSION_TABLE_SCHEMA = """
SELECT coalesce(
    (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = to_regclass(quote_ident(%s))),
    current_schema(), 'public')
"""
"""Run it in env.py's session, which may have its own search path."""


def find_version_table(database: Database, project: Project) -> VersionTable:
    """Locate the version table, which may not exist yet. Runs env.py of another project.

    Raises:
        ConfigurationError: env.py fails, or does not use the connection that it is given.
        DatabaseUnreachable: The database did not answer.
    """
    if project.schema is not None:
        return VersionTable(project.schema)
    return _query_environment(database, project, _locate)


def find_written_version_table(connection: psycopg.Connection, project: Project) -> VersionTable:
    """Locate the version table that the text of env.py names, without running it."""
    assert project.version_table is not None
    schema, table = project.version_table
    if schema is None:
        row = connection.execute(VERSION_TABLE_SCHEMA, (table,)).fetchone()
        assert row is not None
        schema = row[0]
    return VersionTable(schema, table)


def _locate(context: MigrationContext) -> VersionTable:
    """Read the schema and name of the version table from Alembic's context."""
    schema, table = read_version_table(context)
    if schema is not None:
        return VersionTable(schema, table)
    assert context.bind is not None
    schema = context.bind.exec_driver_sql(VERSION_TABLE_SCHEMA, (table,)).scalar_one()
    return VersionTable(str(schema), table)


def read_heads(connection: psycopg.Connection, table: VersionTable) -> tuple[str, ...]:
    """Read the current revisions; empty if there is no version table yet.

    Raises:
        Locked: Another session holds a lock on the version table.
    """
    name = table.identifier
    exists = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name.as_string(),))
    if exists.fetchone() != (True,):
        return ()
    query = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(name)
    try:
        return tuple(row[0] for row in connection.execute(query))
    except psycopg.errors.LockNotAvailable as error:
        holders = find_table_users(connection, table.schema, table.name)
        raise Locked(
            f"the version table {table} is locked"
            f" by {describe_sessions(holders) or 'a session that is just ending'}",
            hint="wait until it ends, or end it with pg_terminate_backend, and try again",
        ) from error


def _query_environment[Found](
    database: Database, project: Project, query: Callable[[MigrationContext], Found]
) -> Found:
    """Run the project's env.py, and query the context that it configures.

    Raises:
        ConfigurationError: env.py fails, or does not use the connection that it is given.
    """
    found: list[Found] = []

    def steps(  # noqa: D103 - local; the generic function around it confuses the linter
        _heads: object, context: MigrationContext
    ) -> list[RevisionStep]:
        found.append(query(context))
        return []

    with (
        _explained(project),
        translate_errors(database.url),
        database.engine() as engine,
        engine.connect() as connection,
    ):
        project.run_environment(connection, steps, read_only=True)
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
            hint="make env.py choose one by a setting, and run larp once for each",
        )
    return found[0]


def closes_connection(project: Project) -> ConfigurationError:
    """Return the error for an env.py that closes the connection it is given."""
    return ConfigurationError(
        f"the env.py of {project.config_file} closes the connection it is given",
        hint="let env.py use config.attributes['connection'] without a with block",
    )


@contextmanager
def _explained(project: Project) -> Iterator[None]:
    """Attribute errors other than larp's own to env.py."""
    try:
        yield
    except LarpError:
        raise
    except Exception as error:  # noqa: B902 - env.py may raise anything
        raise ConfigurationError(
            f"the env.py of {project.config_file} fails: {type(error).__name__}: {error}",
            hint=f"alembic -c {project.config_file} current",
        ) from error
