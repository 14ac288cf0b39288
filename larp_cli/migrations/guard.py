"""The guard of destructive commands: show what is at stake, and ask for confirmation."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.bookkeeping.environment import read_environment, require_same_environment
from larp_cli.bookkeeping.tables import BOOKKEEPING_TABLES
from larp_cli.errors import Refused
from larp_cli.postgres import catalog
from larp_cli.postgres.errors import ReadOnly
from larp_cli.results import TableSize, TouchedTable
from larp_cli.settings import Environment
from larp_cli.units import format_count

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.control import ControlSession
    from larp_cli.observer import Observer

FEW_ROWS = 10_000
"""Largest number of rows that is counted exactly."""

type Ask = Callable[[str, Sequence[str]], str | None]
"""Asks for the database's name after showing what is at stake. Returns None off a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The confirmation given on the command line."""

    confirm: str | None = None
    """The database's name, from ``--confirm``."""
    yes: bool = False
    allow_production: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What a destructive command is about to change."""

    host: str
    database: str
    user: str
    schema: str
    stamped_environment: str | None
    tables: tuple[TableSize, ...]
    """The tables of the schema."""
    touched: tuple[TouchedTable, ...] | None = None
    """The tables at stake, in any schema; None means all tables of the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Lets a destructive command through only with the operator's consent."""

    consent: Consent
    ask: Ask
    observer: Observer
    """Gets the list of what is at stake."""

    def require_consent(
        self, database: ManagedDatabase, stake: Stake, *, command: str, loss: str
    ) -> None:
        """Show what will be lost, and require the operator's confirmation.

        Args:
            database: The database, with the environment from the settings.
            stake: What is at stake.
            command: The command line, for hints.
            loss: What the command does, as a clause: "this drops the schema".

        Raises:
            Refused: The environment differs, or consent is missing. Nothing was changed.
        """
        require_same_environment(database, stake.stamped_environment, command=command)
        environments = (stake.stamped_environment, database.environment.value)
        production = Environment.PRODUCTION.value in environments
        if production:
            self._require_production_allowed(stake.database, command)
        if self.consent.allow_production:
            command += " --allow-production"
        shown = _describe_stake(stake, loss)
        self._show(shown)
        if self.consent.confirm is not None:
            _require_name(self.consent.confirm, stake.database, command)
        elif not (self.consent.yes and database.url.is_local and not production):
            self._ask(stake.database, shown, command)

    def _require_production_allowed(self, name: str, command: str) -> None:
        if not self.consent.allow_production:
            raise Refused(
                f"{name} is a production database",
                hint=f"{command} --confirm {shlex.quote(name)} --allow-production",
            )

    def _show(self, lines: Sequence[str]) -> None:
        self.observer.warning(lines[0])
        for line in lines[1:]:
            self.observer.note(line)

    def _ask(self, name: str, shown: Sequence[str], command: str) -> None:
        typed = self.ask(name, shown)
        if typed is not None:
            _require_name(typed, name, command)
            return
        why = "not confirmed, and there is no terminal to ask at"
        if self.consent.yes:
            why = "--yes is only accepted for a local database that is not production"
        raise Refused(
            f"{why}; nothing was changed", hint=f"{command} --confirm {shlex.quote(name)}"
        )


def examine(control: ControlSession) -> Stake:
    """Find out what would be lost.

    Raises:
        DatabaseUnreachable: The database did not answer, or is a standby.
    """
    connection, database = control.connection, control.database
    facts = catalog.read_server_facts(connection, database)
    if facts.standby:  # before making a backup for nothing
        raise ReadOnly.at(database.url, address=facts.host)
    return Stake(
        host=facts.host,
        database=facts.database,
        user=facts.user,
        schema=database.schema,
        stamped_environment=read_environment(connection, database.bookkeeping),
        tables=tuple(
            _count(connection, database.schema, table)
            for table in catalog.read_table_sizes(connection, database.schema)
        ),
    )


def _count(connection: psycopg.Connection, schema: str, table: TableSize) -> TableSize:
    """Count the rows of a table that was never analysed, unless there are many."""
    if table.estimated_rows is not None:
        return table
    name = sql.Identifier(schema, table.name)
    few = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS few")
    try:
        row = connection.execute(few.format(name, sql.Literal(FEW_ROWS + 1))).fetchone()
    except psycopg.Error:  # locked, or this role may not read it
        return table
    assert row is not None
    return replace(table, estimated_rows=row[0]) if row[0] <= FEW_ROWS else table


def require_unchanged(control: ControlSession, stake: Stake, *, command: str) -> None:
    """Compare the database with what was shown. Call it with the migration lock held.

    Raises:
        Refused: The database changed after it was shown. This command changed nothing.
    """
    connection, database = control.connection, control.database
    stamped = read_environment(connection, database.bookkeeping)
    tables = {table.name for table in catalog.read_table_sizes(connection, database.schema)}
    # A table that is gone cannot be lost: another reset may be running.
    unseen = tables - {table.name for table in stake.tables}
    unseen -= {database.version_table.name, *BOOKKEEPING_TABLES}
    if unseen or stamped not in (None, stake.stamped_environment, database.environment.value):
        raise Refused(
            f"the schema {stake.schema} changed after it was shown;"
            " nothing was changed by this command",
            hint=command,
        )


def _describe_stake(stake: Stake, loss: str) -> list[str]:
    lines = [
        f"{loss}: schema {stake.schema} of database {stake.database} on {stake.host},"
        f" as {stake.user}"
    ]
    tables = (
        [(f"{stake.schema}.{table.name}", table.estimated_rows) for table in stake.tables]
        if stake.touched is None
        else [(table.name, table.estimated_rows) for table in stake.touched]
    )
    for name, estimate in tables:
        lines.append(f"  {name}: {_rows(estimate)}")
    return lines


def _rows(estimate: int | None) -> str:
    return (
        "unknown number of rows" if estimate is None else f"about {format_count(estimate, 'row')}"
    )


def _require_name(typed: str, name: str, command: str) -> None:
    if typed != name:
        raise Refused(
            f"'{typed}' is not the name of the database, {name}; nothing was changed",
            hint=f"{command} --confirm {shlex.quote(name)}",
        )
