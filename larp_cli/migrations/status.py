"""The state of a database: server, schema, revisions, migration lock, invalid indexes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from larp_cli.bookkeeping.environment import peek_environment
from larp_cli.bookkeeping.ledger import Ledger
from larp_cli.migrations.control import ControlSession, open_control
from larp_cli.migrations.graph import find_heads, find_pending, find_state, find_unknown
from larp_cli.migrations.revisions import describe_history, describe_revision
from larp_cli.migrations.run.lock import find_migrations
from larp_cli.postgres import catalog
from larp_cli.results import DatabaseState, History, MigrationStatus, Revision

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database


def migration_status(database: Database, project: Project) -> MigrationStatus:
    """Read the state of the database, without taking a lock or changing anything.

    Raises:
        DatabaseUnreachable: The database did not answer.
        ConfigurationError: The revision files cannot be read.
    """
    with open_control(database, project) as control:
        current, connection, managed = control.read_heads(), control.connection, control.database
        standing = compare_revisions(project, current)
        ledger = Ledger(managed.bookkeeping)
        return MigrationStatus(
            server=catalog.read_server_facts(connection, database),
            schema=managed.schema,
            schema_exists=catalog.schema_exists(connection, managed.schema),
            environment=peek_environment(connection, managed.bookkeeping),
            state=standing.state,
            current=current,
            heads=standing.heads,
            pending=standing.pending,
            unknown=standing.unknown,
            unknown_runs=ledger.read_upgrades(connection, standing.unknown),
            lock_holders=find_migrations(connection, managed.schema),
            invalid_indexes=_invalid_indexes(control),
        )


def _invalid_indexes(control: ControlSession) -> tuple[str, ...]:
    """List the invalid indexes, qualified if they are not in the version table's schema."""
    ours = control.database.schema
    found = catalog.find_invalid_indexes(control.connection, ours if control.project.own else None)
    return tuple(name if schema == ours else f"{schema}.{name}" for schema, name in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The current revisions of a database, compared with the revision files."""

    state: DatabaseState
    heads: tuple[str, ...]
    pending: tuple[Revision, ...] = ()
    unknown: tuple[str, ...] = ()


def compare_revisions(project: Project, current: tuple[str, ...]) -> Standing:
    """Compare the current revisions of a database with the revision files.

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
    """List the revisions with whether they are applied, and the ledger.

    Raises:
        DatabaseUnreachable: The database did not answer.
        ConfigurationError: The revision files cannot be read.
    """
    with open_control(database, project) as control:
        history = describe_history(project.script, control.read_heads())
        ledger = Ledger(control.database.bookkeeping)
        return replace(history, runs=ledger.read_runs(control.connection))
