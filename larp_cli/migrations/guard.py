"""What stands between a destructive command and the database it was not meant for."""

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

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.observer import Observer

FEW_ROWS = 10_000
"""So many are counted in a moment."""

type Ask = Callable[[str, Sequence[str]], str | None]
"""Asks for the database's name, after showing what is at stake; None where nobody answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the operator said on the command line."""

    confirm: str | None = None
    """The database's name, from ``--confirm``."""
    yes: bool = False
    allow_production: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What a destructive command is about to touch."""

    host: str
    database: str
    user: str
    schema: str
    stamped_environment: str | None
    tables: tuple[TableSize, ...]
    """The tables of the schema."""
    touched: tuple[TouchedTable, ...] | None = None
    """Of those and others the ones that are at stake; None means all of the schema."""


def examine(database: ManagedDatabase) -> Stake:
    """Look at what would be lost.

    Raises:
        DatabaseUnreachable: The database did not answer, or is a standby.
    """
    with database.connection() as connection:
        facts = catalog.server_facts(connection, database)
        if facts.standby:  # before a backup is made for nothing
            raise ReadOnly.at(database.url, address=facts.host)
        return Stake(
            host=facts.host,
            database=facts.database,
            user=facts.user,
            schema=database.schema,
            stamped_environment=read_environment(connection, database.bookkeeping),
            tables=tuple(
                _counted(connection, database.schema, table)
                for table in catalog.table_sizes(connection, database.schema)
            ),
        )


def _counted(connection: psycopg.Connection, schema: str, table: TableSize) -> TableSize:
    """Count the rows of a table that was never analysed, where there are not many."""
    if table.estimated_rows is not None:
        return table
    name = sql.Identifier(schema, table.name)
    few = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS few")
    try:
        row = connection.execute(few.format(name, sql.Literal(FEW_ROWS + 1))).fetchone()
    except psycopg.Error:  # locked, or not to be read by this role
        return table
    assert row is not None
    return replace(table, estimated_rows=row[0]) if row[0] <= FEW_ROWS else table


def require_consent(
    database: ManagedDatabase,
    stake: Stake,
    consent: Consent,
    *,
    command: str,
    loss: str,
    ask: Ask,
    observer: Observer,
) -> None:
    """Show what will be lost, and go on only with the operator's word for it.

    Args:
        database: Whose settings name the environment.
        stake: What is at stake.
        consent: What the command line says already.
        command: The command as it is typed, for the hints.
        loss: One line: what will be lost.
        ask: Asks at a terminal.
        observer: Told what is at stake.

    Raises:
        Refused: The environment is another, or consent is missing; nothing was changed.
    """
    require_same_environment(database, stake.stamped_environment, command=command)
    production = Environment.PRODUCTION.value in (
        stake.stamped_environment,
        database.environment.value,
    )
    if production and not consent.allow_production:
        raise Refused(
            f"{stake.database} is a production database",
            hint=f"{command} --confirm {shlex.quote(stake.database)} --allow-production",
        )
    if consent.allow_production:
        command += " --allow-production"
    shown = _shown(stake, loss)
    for line in shown:
        observer.note(line)
    if consent.confirm is not None:
        _compare(consent.confirm, stake.database, command)
    elif consent.yes and database.url.is_local and not production:
        return
    else:
        _ask(ask, stake.database, shown, command, consent)


def require_unchanged(database: ManagedDatabase, stake: Stake, *, command: str) -> None:
    """Look again, with the mutex held: another migrator may have been at work meanwhile.

    Raises:
        Refused: It is not what the operator consented to any more; nothing was changed.
    """
    with database.connection() as connection:
        stamped = read_environment(connection, database.bookkeeping)
        tables = {table.name for table in catalog.table_sizes(connection, database.schema)}
    # What is gone meanwhile cannot be lost any more: another reset is between its two halves.
    unseen = tables - {table.name for table in stake.tables}
    unseen -= {database.version_table.name, *BOOKKEEPING_TABLES}
    if unseen or stamped not in (None, stake.stamped_environment, database.environment.value):
        raise Refused(
            f"the schema {stake.schema} is not what it was when it was shown;"
            " nothing was changed",
            hint=f"look again: {command}",
        )


def _shown(stake: Stake, loss: str) -> list[str]:
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
        lines.append(f"  {name}: {'unknown' if estimate is None else f'about {estimate}'} rows")
    return lines


def _compare(typed: str, name: str, command: str) -> None:
    if typed != name:
        raise Refused(
            f"'{typed}' is not the database's name, which is {name}; nothing was changed",
            hint=f"{command} --confirm {shlex.quote(name)}",
        )


def _ask(ask: Ask, name: str, shown: Sequence[str], command: str, consent: Consent) -> None:
    typed = ask(name, shown)
    if typed is None:
        why = (
            "--yes alone is enough only for a local database that is not production"
            if consent.yes
            else "nobody is at a terminal to confirm"
        )
        raise Refused(
            f"{why}; nothing was changed", hint=f"{command} --confirm {shlex.quote(name)}"
        )
    _compare(typed, name, command)
