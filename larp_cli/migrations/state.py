"""The revisions with which a database is stamped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import sql

from larp_cli.database.errors import translated_errors
from larp_cli.errors import ConfigurationError, LarpError

if TYPE_CHECKING:
    import psycopg

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from larp_cli.database.target import Database
    from larp_cli.migrations.project import Project


FOREIGN_BOOKKEEPING = "larp"
"""Schema of larp's own tables beside a foreign project.

Not beside the version table, where the project's autogenerate would propose to drop them.
One that looks at every schema (``include_schemas``) has to leave this one out itself.
"""

MAY_KEEP_BOOKS = """
SELECT current_schema(),
       CASE WHEN to_regnamespace(%(schema)s) IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(%(schema)s, 'CREATE') END
"""


def placed(database: Database, project: Project) -> Database:
    """Return the database with the place in which the project keeps its version table.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    if project.own:
        return database
    schema, table = _look_into(
        database,
        project,
        lambda _heads, context: (context.version_table_schema, context.version_table),
    )
    with database.connection() as connection:
        row = connection.execute(MAY_KEEP_BOOKS, {"schema": FOREIGN_BOOKKEEPING}).fetchone()
    assert row is not None
    schema = schema or row[0] or "public"
    books = FOREIGN_BOOKKEEPING if row[1] else schema
    return replace(database, schema=schema, version_table=table, bookkeeping_schema=books)


def current_heads(database: Database, project: Project) -> tuple[str, ...]:
    """Read the stamped revisions without a lock; empty when nothing was ever applied.

    ``database`` is one that `placed` has returned.

    Raises:
        DatabaseUnreachable: The database did not answer.
    """
    with database.connection() as connection:
        return read_heads(connection, database)


def read_heads(connection: psycopg.Connection, database: Database) -> tuple[str, ...]:
    """Read the version table, where there is one."""
    table = sql.Identifier(database.schema, database.version_table)
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
        _explained(project),
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
