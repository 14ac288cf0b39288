"""Load development data: ``seeds/*.sql``, in order, in one transaction."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq, sql

from larp_cli.bookkeeping.metadata import delete_metadata, read_metadata, write_metadata
from larp_cli.errors import CommandFailed, ConfigurationError, Locked
from larp_cli.postgres.errors import translate
from larp_cli.results import Seeded, SeedFile

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.bookkeeping.tables import Bookkeeping
    from larp_cli.observer import Observer


_PREFIX = "seeds:"
"""Prefix of the metadata key that records which files an environment has loaded."""

GUARD_TABLE = """
CREATE TEMPORARY TABLE larp_seeding (
    file integer PRIMARY KEY,
    awaited integer CONSTRAINT larp_seeding_goes_on
        REFERENCES larp_seeding DEFERRABLE INITIALLY DEFERRED
) ON COMMIT DROP
"""
GUARD_ROW = "INSERT INTO pg_temp.larp_seeding VALUES (1, 2)"
"""This row makes COMMIT and ``SET CONSTRAINTS ALL IMMEDIATE`` fail."""

TRANSACTION_WORDS = ("begin", "start", "commit", "end", "rollback", "abort", "prepare")
"""The first words of the statements that begin or end a transaction."""


def list_seed_files(directory: Path, environment: str) -> tuple[Path, ...]:
    """List the files to load: ``*.sql``, then ``<environment>/*.sql``, each sorted by name."""
    own = directory / environment
    return tuple([*sorted(directory.glob("*.sql")), *sorted(own.glob("*.sql"))])


def load_seeds(
    database: ManagedDatabase, directory: Path, environment: str, observer: Observer
) -> Seeded:
    """Load every file, or none if one fails.

    Raises:
        ConfigurationError: There is no such directory, or a file cannot be read.
        CommandFailed: A statement failed; nothing was loaded.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"the directory {directory} does not exist",
            hint="put the development data in seeds/*.sql",
        )
    files = list_seed_files(directory, environment)
    texts = {path: _read(path) for path in files}
    observer.started("loading development data", len(files))
    unbounded = replace(database, statement_timeout=None)
    with unbounded.connection(application_name="larp-seed") as connection, connection.transaction():
        path_of_schema = sql.SQL("SET LOCAL search_path = {}, public").format(
            sql.Identifier(database.schema)
        )
        connection.execute(path_of_schema)
        seconds = _run_all(connection, database, texts, observer)
        write_metadata(connection, database.bookkeeping, _key(environment), _digest(texts.values()))
    observer.finished("")
    return Seeded(
        environment=environment,
        directory=directory,
        files=tuple(
            SeedFile(name=str(path.relative_to(directory)), seconds=seconds[path]) for path in files
        ),
    )


def is_seeded(
    connection: psycopg.Connection, database: ManagedDatabase, directory: Path, environment: str
) -> bool:
    """Return whether exactly these files were loaded before."""
    texts = [_read(path) for path in list_seed_files(directory, environment)]
    return read_metadata(connection, database.bookkeeping, _key(environment)) == _digest(texts)


def forget_seeds(connection: psycopg.Connection, bookkeeping: Bookkeeping) -> None:
    """Delete the record of loaded files, because the data is gone."""
    delete_metadata(connection, bookkeeping, _PREFIX)


def _run_all(
    connection: psycopg.Connection,
    database: ManagedDatabase,
    texts: dict[Path, str],
    observer: Observer,
) -> dict[Path, float]:
    """Run every file in the open transaction. Return the seconds that each took."""
    is_safe = {path: _keeps_transaction(connection, path, text) for path, text in texts.items()}
    if not all(is_safe.values()):
        connection.execute(GUARD_TABLE)
    seconds = {}
    for number, (path, text) in enumerate(texts.items()):
        observer.progress(path.name, number)
        began = time.monotonic()
        run = _run if is_safe[path] else _run_guarded
        run(connection, database, path, text)
        seconds[path] = time.monotonic() - began
    return seconds


def _keeps_transaction(connection: psycopg.Connection, path: Path, text: str) -> bool:
    """Return whether a file certainly leaves the transaction open; False if unknown.

    Raises:
        CommandFailed: The file begins or ends a transaction.
    """
    if connection.info.parameter_status("standard_conforming_strings") != "on":
        return False  # the parser and the server would read strings differently
    lowered = text.lower()
    if not any(word in lowered for word in TRANSACTION_WORDS):
        return True
    from larp_cli.postgres.sql.effects import find_effects
    from larp_cli.postgres.sql.statements import read_statements

    is_certain = True
    for statement in read_statements(text):
        effects = find_effects(statement)
        if effects is None:
            # It may be a COMMIT in a newer grammar, or a script that could not be split.
            may_end = statement.text.lower().startswith(TRANSACTION_WORDS)
            is_certain &= not may_end and statement.text != text.strip()
        elif effects.controls_transaction:
            line = text.count("\n", 0, statement.start) + 1
            raise _breaks_transaction(
                f"{path}, line {line}: {statement.text} is not allowed,"
                " because all files share one transaction; nothing was loaded"
            )
    return is_certain


def _run_guarded(
    connection: psycopg.Connection, database: ManagedDatabase, path: Path, text: str
) -> None:
    """Run a file that may contain a COMMIT, and make that COMMIT fail."""
    connection.execute(GUARD_ROW)
    _run(connection, database, path, text)
    if connection.execute("SELECT to_regclass('pg_temp.larp_seeding')").fetchone() == (None,):
        raise _ends_transaction(path, "nothing was loaded")
    connection.execute("DELETE FROM pg_temp.larp_seeding")


def _run(connection: psycopg.Connection, database: ManagedDatabase, path: Path, text: str) -> None:
    try:
        # Without parameters psycopg uses the simple protocol, which accepts a whole script.
        connection.execute(text.encode())
    except psycopg.Error as error:
        if error.diag.constraint_name == "larp_seeding_goes_on":
            raise _ends_transaction(path, "nothing was loaded") from error
        failure = translate(error, database.url)
        kind = Locked if isinstance(failure, Locked) else CommandFailed
        message = f"{path}{_format_line(error, text)}: {failure.message}; nothing was loaded"
        raise kind(message, hint=failure.hint if kind is Locked else None) from error
    if connection.info.transaction_status is not pq.TransactionStatus.INTRANS:
        raise _ends_transaction(path, "only the statements after its ROLLBACK were loaded")


def _ends_transaction(path: Path, outcome: str) -> CommandFailed:
    return _breaks_transaction(f"{path} ends the transaction that all files share; {outcome}")


def _breaks_transaction(message: str) -> CommandFailed:
    return CommandFailed(message, hint="remove BEGIN, COMMIT and ROLLBACK from the seed files")


def _format_line(error: psycopg.Error, text: str) -> str:
    position = error.diag.statement_position
    if position is None:
        return ""
    return f", line {text[: int(position) - 1].count('\n') + 1}"


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the seed file {path} cannot be read: {error}") from error
    if "\0" in text:
        # libpq would stop there and silently ignore the rest.
        raise ConfigurationError(
            f"the seed file {path} cannot be read: it contains a NUL character"
        )
    return text


def _key(environment: str) -> str:
    return _PREFIX + environment


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
