"""The revisions with which a database is stamped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import sql

from larp_cli.database.errors import translated_errors
from larp_cli.errors import ConfigurationError

if TYPE_CHECKING:
    import psycopg

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from larp_cli.database.target import Database
    from larp_cli.migrations.project import Project


FOREIGN_BOOKKEEPING = "larp"
"""Schema of larp's own tables beside a foreign project."""


def placed(database: Database, project: Project) -> Database:
    """Return the database with the schema in which the project keeps its version table.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    if project.own:
        return database
    schema = _look_into(database, project, lambda _heads, context: context.version_table_schema)
    if schema is None:
        with database.connection() as connection:
            row = connection.execute("SELECT current_schema()").fetchone()
        schema = row[0] if row and row[0] else "public"
    return replace(database, schema=schema, bookkeeping_schema=FOREIGN_BOOKKEEPING)


def current_heads(database: Database, project: Project) -> tuple[str, ...]:
    """Read the stamped revisions without a lock; empty when nothing was ever applied.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    if project.own:
        with database.connection() as connection:
            return read_own_heads(connection, database.schema)
    return _look_into(database, project, lambda heads, _context: tuple(sorted(heads)))


def read_own_heads(connection: psycopg.Connection, schema: str) -> tuple[str, ...]:
    """Read the version table in ``schema``, where there is one."""
    table = sql.Identifier(schema, "alembic_version")
    found = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (table.as_string(connection),)
    ).fetchone()
    if found != (True,):
        return ()
    rows = connection.execute(sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(table))
    return tuple(row[0] for row in rows)


def _look_into[Found](
    database: Database,
    project: Project,
    look: Callable[[tuple[str, ...], MigrationContext], Found],
) -> Found:
    """Ask the project's own env.py, which alone knows where its version table is.

    Raises:
        ConfigurationError: env.py does not run on the connection that it is given.
    """
    found: list[Found] = []

    def steps(  # noqa: D103 - local; the generic function around it confuses the linter
        heads: tuple[str, ...], context: MigrationContext
    ) -> list[RevisionStep]:
        found.append(look(heads, context))
        return []

    with (
        translated_errors(database.url),
        database.engine() as engine,
        engine.connect() as connection,
    ):
        project.run_environment(connection, steps, dont_mutate=True)
    if not found:
        raise ConfigurationError(
            f"the env.py of {project.config_file} runs no migrations",
            hint='let it take its connection from config.attributes["connection"]',
        )
    return found[0]
