"""Development data: ``seeds/*.sql``, in order, in one transaction."""

from __future__ import annotations

import hashlib
import time
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

GUARD = """
CREATE TEMPORARY TABLE larp_seeding (
    file integer PRIMARY KEY,
    awaited integer CONSTRAINT larp_seeding_goes_on
        REFERENCES larp_seeding DEFERRABLE INITIALLY DEFERRED
) ON COMMIT DROP;
INSERT INTO larp_seeding VALUES (1, 2)
"""
"""A row that no COMMIT accepts: a file with one in it must not end our transaction."""


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
    texts = [_read(path) for path in files]
    observer.started("loading development data", len(files))
    loaded: list[SeedFile] = []
    unbounded = replace(database, statement_timeout=None)
    with unbounded.connection(application_name="larp-seed") as connection, connection.transaction():
        path_of_schema = sql.SQL("SET LOCAL search_path = {}, public").format(
            sql.Identifier(database.schema)
        )
        connection.execute(path_of_schema)
        connection.execute(GUARD)
        for number, (path, text) in enumerate(zip(files, texts, strict=True)):
            observer.progress(path.name, number)
            began = time.monotonic()
            _run(connection, database, path, text)
            name = str(path.relative_to(directory))
            loaded.append(SeedFile(name=name, seconds=time.monotonic() - began))
        write_metadata(connection, database.bookkeeping, _key(environment), _digest(texts))
        connection.execute("DELETE FROM pg_temp.larp_seeding")
    observer.finished("")
    return Seeded(environment=environment, directory=directory, files=tuple(loaded))


def already_seeded(database: ManagedDatabase, directory: Path, environment: str) -> bool:
    """Look whether exactly these files were loaded before."""
    texts = [_read(path) for path in seed_files(directory, environment)]
    with database.connection() as connection:
        noted = read_metadata(connection, database.bookkeeping, _key(environment))
    return noted == _digest(texts)


def forget_seeds(connection: psycopg.Connection, bookkeeping: Bookkeeping) -> None:
    """Forget which files were loaded: what they made is gone."""
    delete_metadata(connection, bookkeeping, _PREFIX)


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
    if connection.execute("SELECT to_regclass('pg_temp.larp_seeding')").fetchone() == (None,):
        raise _ends_transaction(path, "nothing was loaded")


def _ends_transaction(path: Path, outcome: str) -> CommandFailed:
    return CommandFailed(
        f"{path} ends the transaction that all files share; {outcome}",
        hint="remove BEGIN, COMMIT and ROLLBACK from the seed files",
    )


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


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
