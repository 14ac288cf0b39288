"""Where a database stands: server, schema, revision, mutex, invalid indexes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from larp_cli.bookkeeping.environment import peek_environment
from larp_cli.bookkeeping.ledger import Ledger
from larp_cli.migrations.graph import find_heads, find_pending, find_state, find_unknown
from larp_cli.migrations.revisions import describe_history, describe_revision
from larp_cli.migrations.run.lock import migrators
from larp_cli.migrations.version_table import current_heads, locate
from larp_cli.postgres import catalog
from larp_cli.results import DatabaseState, History, MigrationStatus, Revision

if TYPE_CHECKING:
    import psycopg

    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database


def migration_status(database: Database, project: Project) -> MigrationStatus:
    """Look, without a lock and without changing anything.

    Raises:
        DatabaseUnreachable: The database did not answer.
        ConfigurationError: The revision files cannot be read.
    """
    database = locate(database, project)
    current = current_heads(database)
    standing = standing_of(project, current)
    ledger = Ledger(database.bookkeeping)
    with database.connection() as connection:
        return MigrationStatus(
            server=catalog.server_facts(connection, database),
            schema=database.schema,
            schema_exists=catalog.schema_exists(connection, database.schema),
            environment=peek_environment(connection, database.bookkeeping),
            state=standing.state,
            current=current,
            heads=standing.heads,
            pending=standing.pending,
            unknown=standing.unknown,
            unknown_runs=ledger.read_upgrades(connection, standing.unknown),
            lock_holders=migrators(connection, database.schema),
            invalid_indexes=_invalid_indexes(connection, database, project),
        )


def _invalid_indexes(
    connection: psycopg.Connection, database: ManagedDatabase, project: Project
) -> tuple[str, ...]:
    """Name the invalid indexes; those of another schema than the version table's with theirs."""
    found = catalog.invalid_indexes(connection, database.schema if project.own else None)
    return tuple(
        name if schema == database.schema else f"{schema}.{name}" for schema, name in found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Stamped revisions held against those on disk."""

    state: DatabaseState
    heads: tuple[str, ...]
    pending: tuple[Revision, ...] = ()
    unknown: tuple[str, ...] = ()


def standing_of(project: Project, current: tuple[str, ...]) -> Standing:
    """Compare the stamped revisions with those on disk; at head without asking Alembic.

    Raises:
        ConfigurationError: The revision files cannot be read.
    """
    graph = project.graph
    return Standing(
        state=find_state(graph, current),
        heads=find_heads(graph),
        pending=tuple(
            describe_revision(project.script.get_revision(revision))
            for revision in find_pending(graph, current)
        ),
        unknown=find_unknown(graph, current),
    )


def migration_history(database: Database, project: Project) -> History:
    """List the revisions on disk, and which of them the database has.

    Raises:
        DatabaseUnreachable: The database did not answer.
        ConfigurationError: The revision files cannot be read.
    """
    database = locate(database, project)
    history = describe_history(project.script, current_heads(database))
    with database.connection() as connection:
        return replace(history, runs=Ledger(database.bookkeeping).read_runs(connection))
