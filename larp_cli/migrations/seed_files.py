"""Development data: ``seeds/*.sql``, in order, in one transaction."""

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
"""With the environment's name it is the key of which files were loaded."""

GUARD_TABLE = """
CREATE TEMPORARY TABLE larp_seeding (
    file integer PRIMARY KEY,
    awaited integer CONSTRAINT larp_seeding_goes_on
        REFERENCES larp_seeding DEFERRABLE INITIALLY DEFERRED
) ON COMMIT DROP
"""
GUARD_ROW = "INSERT INTO pg_temp.larp_seeding VALUES (1, 2)"
"""No COMMIT accepts this row, and nor does ``SET CONSTRAINTS ALL IMMEDIATE``."""

TRANSACTION_WORDS = ("begin", "start", "commit", "end", "rollback", "abort", "prepare")
"""Each statement that begins or ends a transaction starts with one of these."""


def seed_files(directory: Path, environment: str) -> tuple[Path, ...]:
    """List what is loaded: ``*.sql``, then ``<environment>/*.sql``, each by name."""
    own = directory / environment
    return tuple([*sorted(directory.glob("*.sql")), *sorted(own.glob("*.sql"))])


def load_seeds(
    database: ManagedDatabase, directory: Path, environment: str, observer: Observer
) -> Seeded:
    """Load every file, all or none.

    Raises:
        ConfigurationError: There is no such directory, or a file cannot be read.
        CommandFailed: A statement failed; nothing was loaded.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"there is no directory {directory}",
            hint="put the development data into seeds/*.sql",
        )
    files = seed_files(directory, environment)
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
    """Look whether exactly these files were loaded before."""
    texts = [_read(path) for path in seed_files(directory, environment)]
    return read_metadata(connection, database.bookkeeping, _key(environment)) == _digest(texts)


def forget_seeds(connection: psycopg.Connection, bookkeeping: Bookkeeping) -> None:
    """Forget which files were loaded: what they made is gone."""
    delete_metadata(connection, bookkeeping, _PREFIX)


def _run_all(
    connection: psycopg.Connection,
    database: ManagedDatabase,
    texts: dict[Path, str],
    observer: Observer,
) -> dict[Path, float]:
    """Run every file in the open transaction; returns how long each took, seconds."""
    sure = {path: _keeps_transaction(connection, path, text) for path, text in texts.items()}
    if not all(sure.values()):
        connection.execute(GUARD_TABLE)
    seconds = {}
    for number, (path, text) in enumerate(texts.items()):
        observer.progress(path.name, number)
        began = time.monotonic()
        run = _run if sure[path] else _run_guarded
        run(connection, database, path, text)
        seconds[path] = time.monotonic() - began
    return seconds


def _keeps_transaction(connection: psycopg.Connection, path: Path, text: str) -> bool:
    """Tell whether a file surely leaves the transaction open; False if that cannot be known.

    Raises:
        CommandFailed: It begins or ends a transaction.
    """
    if connection.info.parameter_status("standard_conforming_strings") != "on":
        return False  # the parser would see other strings than the server
    lowered = text.lower()
    if not any(word in lowered for word in TRANSACTION_WORDS):
        return True
    from larp_cli.postgres.sql.effects import find_effects
    from larp_cli.postgres.sql.statements import read_statements

    surely = True
    for statement in read_statements(text):
        effects = find_effects(statement)
        if effects is None:
            # A COMMIT of a newer grammar, or a script that could not even be split.
            may_end = statement.text.lower().startswith(TRANSACTION_WORDS)
            surely &= not may_end and statement.text != text.strip()
        elif effects.controls_transaction:
            line = text.count("\n", 0, statement.start) + 1
            raise _breaks_transaction(
                f"{path}, line {line}: {statement.text} is not allowed,"
                " because all files share one transaction; nothing was loaded"
            )
    return surely


def _run_guarded(
    connection: psycopg.Connection, database: ManagedDatabase, path: Path, text: str
) -> None:
    """Run a file that may hold a COMMIT, so that it fails."""
    connection.execute(GUARD_ROW)
    _run(connection, database, path, text)
    if connection.execute("SELECT to_regclass('pg_temp.larp_seeding')").fetchone() == (None,):
        raise _ends_transaction(path, "nothing was loaded")
    connection.execute("DELETE FROM pg_temp.larp_seeding")


def _run(connection: psycopg.Connection, database: ManagedDatabase, path: Path, text: str) -> None:
    try:
        # Without parameters psycopg uses the simple protocol, which takes a whole script.
        connection.execute(text.encode())
    except psycopg.Error as error:
        if error.diag.constraint_name == "larp_seeding_goes_on":
            raise _ends_transaction(path, "nothing was loaded") from error
        failure = translate(error, database.url)
        kind = Locked if isinstance(failure, Locked) else CommandFailed
        message = f"{path}{_line_of(error, text)}: {failure.message}; nothing was loaded"
        raise kind(message, hint=failure.hint if kind is Locked else None) from error
    if connection.info.transaction_status is not pq.TransactionStatus.INTRANS:
        raise _ends_transaction(path, "only what stands after its ROLLBACK was loaded")


def _ends_transaction(path: Path, outcome: str) -> CommandFailed:
    return _breaks_transaction(f"{path} ends the transaction that all files share; {outcome}")


def _breaks_transaction(message: str) -> CommandFailed:
    return CommandFailed(message, hint="remove BEGIN, COMMIT and ROLLBACK from the seed files")


def _line_of(error: psycopg.Error, text: str) -> str:
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
        # libpq would take it for the end, and leave out the rest without a word.
        raise ConfigurationError(f"the seed file {path} cannot be read: it holds a NUL character")
    return text


def _key(environment: str) -> str:
    return _PREFIX + environment


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
