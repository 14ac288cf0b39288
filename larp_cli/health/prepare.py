"""Find out what this code expects of the database: revisions, schema, extensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from larp_cli.bookkeeping.tables import DEFAULT_VERSION_TABLE, FOREIGN_SCHEMA
from larp_cli.errors import DatabaseUnreachable
from larp_cli.health.target import HealthTarget
from larp_cli.migrations.version_table import find_version_table

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database

OWN_EXTENSIONS = ("uuid-ossp", "pgcrypto")
"""Extensions that the first revision installs if it may."""


def prepare_target(database: Database, project: Project, warnings: tuple[str, ...]) -> HealthTarget:
    """Collect what the health checks compare the database with.

    The project's files usually say it all, so this works while the database is down. Only for a
    version table that the project's env.py configures does it connect to the database.

    Raises:
        ConfigurationError: The project's files cannot be read.
        DatabaseUnreachable: Only the project's env.py knows where its version table is, and
            the database did not answer it.
    """
    schema, table = _find_version_table(database, project)
    return HealthTarget(
        url=database.url,
        schema=schema,
        version_table=table,
        graph=project.graph,
        ledger_schemas=(FOREIGN_SCHEMA,) if project.schema is None else (project.schema,),
        extensions=OWN_EXTENSIONS if project.own else (),
        warnings=warnings,
    )


def _find_version_table(database: Database, project: Project) -> tuple[str | None, str]:
    if project.schema is not None:
        return project.schema, DEFAULT_VERSION_TABLE
    if project.version_table is not None:
        return project.version_table
    try:
        found = find_version_table(database, project)
    except DatabaseUnreachable as error:
        raise type(error)(
            f"{error.message}, and only the env.py of {project.config_file} knows where its"
            " version table is",
            hint=error.hint,
        ) from error
    return found.schema, found.name
