"""Putting a backup in place of the schema, in one transaction."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.backup.drop import drop_statement, hangs_outside
from larp_cli.bookkeeping.environment import stamp_environment_statements
from larp_cli.bookkeeping.tables import BOOKKEEPING_TABLES, revoke_writing
from larp_cli.errors import CommandFailed, LarpError
from larp_cli.postgres.database import NOTICE_A_DEAD_CLIENT
from larp_cli.postgres.errors import translate
from larp_cli.postgres.programs import TICK, end_program, failure, find_program, running, text_of
from larp_cli.system.deadlines import on_deadline
from larp_cli.units import format_bytes

if TYPE_CHECKING:
    from larp_cli.backup.archive import Archive
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.observer import Observer

RESTORE_TIMEOUT = 24 * 3600.0
"""Seconds that restoring may take; ``--timeout`` cuts it shorter."""
CHUNK = 1 << 18
CONNECTION_LOST = 2
"""psql's exit status when the connection broke."""

# Settings at the head of pg_restore's script: the first would take our lock_timeout away, the
# other is unknown to servers before 17.
UNWANTED = re.compile(rb"^SET (?:lock_timeout|transaction_timeout) = 0;\n", re.MULTILINE)
HEAD_BYTES = 4096
FIRST_ENTRY = b"\n-- Name: "

PSQL_ERROR = re.compile(r"^psql:<stdin>:\d+: \w+:  (?!0[012])([0-9A-Z]{5}): (.*)", re.MULTILINE)
"""With VERBOSITY=verbose: the SQLSTATE and the message; classes 00 to 02 are no errors."""

MISSING_ROLE = re.compile(r'role ".*" does not exist')


def restore_schema(
    database: ManagedDatabase, archive: Archive, observer: Observer, *, options: Sequence[str] = ()
) -> None:
    """Replace the schema by what is in the archive; whatever goes wrong, nothing is changed.

    pg_restore writes the script, psql runs it, and we stand between them: we write BEGIN, the
    drop, and, once pg_restore has ended well, COMMIT. ``psql --single-transaction`` would
    commit half a script when what feeds it dies.

    Args:
        database: The database, by the URL for DDL, with the migration mutex held.
        archive: What to restore, verified.
        observer: Told how much is done.
        options: More options of pg_restore, such as ``--no-owner``.

    Raises:
        Refused: Something outside the schema hangs on it.
        CommandFailed: A statement failed, or the archive could not be read.
        Locked: The schema's tables stayed locked.
    """
    observer.started(f"restoring the schema {database.schema} from {archive.path}")
    with (
        _started(database, archive, options) as programs,
        # Once one of them has ended, the pipe between them breaks and the rest follows.
        on_deadline(RESTORE_TIMEOUT, programs.end) as late,
    ):
        committing = _run(database, archive, programs, observer)
        if late.is_set():
            raise CommandFailed(f"restoring was not finished after {RESTORE_TIMEOUT:g} s")
        _require_success(database, programs, committing=committing)
    observer.finished("")


@dataclass(frozen=True, slots=True)
class _Programs:
    """The two ends of the pipe, and what they complain of."""

    reader: subprocess.Popen[bytes]
    psql: subprocess.Popen[bytes]
    reader_errors: IO[bytes]
    psql_errors: IO[bytes]

    def end(self) -> None:
        """End both."""
        end_program(self.psql)
        end_program(self.reader)


@contextmanager
def _started(
    database: ManagedDatabase, archive: Archive, options: Sequence[str]
) -> Iterator[_Programs]:
    with (
        tempfile.TemporaryFile() as entries,
        tempfile.TemporaryFile() as reader_errors,
        tempfile.TemporaryFile() as psql_errors,
    ):
        entries.write("\n".join(archive.wanted(database.schema)).encode())
        entries.seek(0)
        with (
            running(
                [archive.program, "--file=-", "--use-list=/dev/stdin", *options, archive.path],
                database,
                stdin=entries,
                stdout=subprocess.PIPE,
                stderr=reader_errors,
            ) as reader,
            running(
                _psql(archive),
                database,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=psql_errors,
            ) as psql,
        ):
            yield _Programs(reader, psql, reader_errors, psql_errors)


def _psql(archive: Archive) -> list[str | Path]:
    # The one beside pg_restore: another may not know the commands at the head of its script.
    beside = archive.program.with_name("psql")
    program = beside if beside.exists() else find_program("psql", server_major=0)
    return [
        program,
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--output=/dev/null",
        "--set=ON_ERROR_STOP=1",
        "--set=VERBOSITY=verbose",
        "--file=-",
    ]


def _run(
    database: ManagedDatabase, archive: Archive, programs: _Programs, observer: Observer
) -> bool:
    """Pass the script on, and commit when psql has run all of it; returns whether it came to that.

    False means that pg_restore failed, or that psql has ended.
    """
    reader, psql = programs.reader, programs.psql
    assert reader.stdout is not None and psql.stdin is not None and psql.stdout is not None
    try:
        _write(psql.stdin, _prologue(database, archive))
        _pump(reader.stdout, psql.stdin, observer)
        if reader.wait() != 0:
            return False
        _write(psql.stdin, _epilogue(database))
        if psql.stdout.readline():
            # Not before: if we are killed now, the COMMIT must not be on its way already.
            _write(psql.stdin, b"COMMIT;\n")
            psql.stdin.close()
            return True
    except BrokenPipeError:
        pass
    psql.wait()
    return False


def _pump(source: IO[bytes], sink: IO[bytes], observer: Observer) -> None:
    head = b""
    while len(head) < HEAD_BYTES and (chunk := source.read(HEAD_BYTES)):
        head += chunk
    settings, name, rest = head.partition(FIRST_ENTRY)
    _write(sink, UNWANTED.sub(b"", settings) + name + rest)
    passed, told = len(head), time.monotonic()
    while chunk := source.read(CHUNK):
        _write(sink, chunk)
        passed += len(chunk)
        if time.monotonic() - told >= TICK:
            observer.progress(format_bytes(passed))
            told = time.monotonic()


def _write(sink: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[sink.write(rest) :]


def _prologue(database: ManagedDatabase, archive: Archive) -> bytes:
    statements = [
        "SET client_encoding = 'UTF8'",
        "SET statement_timeout = 0",
        "SET idle_in_transaction_session_timeout = 0",
        NOTICE_A_DEAD_CLIENT,
        "BEGIN",
        drop_statement(database.schema, create=not archive.creates(database.schema)).as_string(),
    ]
    if database.lock_timeout is not None:
        statements.insert(0, f"SET lock_timeout = {max(1, round(database.lock_timeout * 1000))}")
    return "".join(f"{statement};\n" for statement in statements).encode()


def _epilogue(database: ManagedDatabase) -> bytes:
    """Stamp our environment over the one that the dump brought, then let psql answer."""
    statements: list[sql.Composable] = [sql.SQL("SET client_encoding = 'UTF8'")]
    books = database.bookkeeping
    if books.is_beside_version_table:
        statements += stamp_environment_statements(database)
        # The tables that the dump creates have default privileges again.
        ours = map(books.identifier_of, BOOKKEEPING_TABLES)
        statements += map(revoke_writing, (database.version_table.identifier, *ours))
    script = "".join(f"\n{statement.as_string()};" for statement in statements)
    return f"{script}\n\\echo all of it is done\n".encode()


def _require_success(database: ManagedDatabase, programs: _Programs, *, committing: bool) -> None:
    reader, psql = programs.reader, programs.psql
    if not committing and psql.poll() is None:
        error = failure("pg_restore", reader, programs.reader_errors)
    elif psql.wait() != 0 or not committing:
        error = _psql_error(database, psql, programs.psql_errors)
    else:
        return
    if committing and psql.returncode == CONNECTION_LOST:
        raise CommandFailed(
            f"{error.message}; it happened at the COMMIT, and whether the schema was replaced"
            " is not known",
            hint="larp db status",
        )
    raise type(error)(f"{error.message}; nothing was changed", hint=error.hint)


def _psql_error(
    database: ManagedDatabase, psql: subprocess.Popen[bytes], errors: IO[bytes]
) -> LarpError:
    found = PSQL_ERROR.search(text_of(errors))
    if found is None:
        return failure("psql", psql, errors)
    state, message = found.groups()
    if state == psycopg.errors.DependentObjectsStillExist.sqlstate:
        return hangs_outside(message)
    if MISSING_ROLE.search(message):
        return CommandFailed(
            f"the backup names what is not here: {message}",
            hint="leave owners and grants out: --no-owner --no-privileges",
        )
    try:
        error = psycopg.errors.lookup(state)(message)
    except KeyError:
        return failure("psql", psql, errors)
    return translate(error, database.url)
