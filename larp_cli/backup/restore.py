"""Replace the schema with a backup, in one transaction."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import sql

from larp_cli.backup.drop import dependents_refused, drop_statement
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
"""Longest duration of a restore, in seconds. ``--timeout`` shortens it."""
CHUNK = 1 << 18
CONNECTION_LOST = 2
"""psql's exit status when the connection broke."""

# Settings at the head of pg_restore's script: the first would reset our lock_timeout, and servers
# before 17 do not know the other.
UNWANTED = re.compile(rb"^SET (?:lock_timeout|transaction_timeout) = 0;\n", re.MULTILINE)
HEAD_BYTES = 4096
FIRST_ENTRY = b"\n-- Name: "

PSQL_ERROR = re.compile(r"^psql:<stdin>:\d+: \w+:  (?!0[012])([0-9A-Z]{5}): (.*)", re.MULTILINE)
"""The SQLSTATE and message, with VERBOSITY=verbose. Classes 00 to 02 are not errors."""

MISSING_ROLE = re.compile(r'role ".*" does not exist')


def restore_schema(
    database: ManagedDatabase, archive: Archive, observer: Observer, *, options: Sequence[str] = ()
) -> None:
    """Replace the schema with the contents of the archive. On any error nothing is changed.

    pg_restore writes a script and psql runs it. larp passes the script from one to the other. It
    adds BEGIN and the drop before it, and COMMIT after it if pg_restore succeeded. ``psql
    --single-transaction`` would commit half a script if pg_restore died.

    Args:
        database: The database, by the migration URL, with the migration lock held.
        archive: The verified archive.
        observer: Gets the number of bytes restored.
        options: More options for pg_restore, such as ``--no-owner``.

    Raises:
        Refused: An object outside the schema depends on it.
        CommandFailed: A statement failed, or the archive could not be read.
        Locked: The schema's tables stayed locked.
    """
    observer.started(f"restoring the schema {database.schema} from {archive.path}")
    with (
        _start(database, archive, options) as programs,
        # When one of them ends, the pipe between them breaks and ends the other.
        on_deadline(RESTORE_TIMEOUT, programs.end) as late,
    ):
        committing = _run(database, archive, programs, observer)
        if late.is_set():
            raise CommandFailed(f"the restore did not finish within {RESTORE_TIMEOUT:g} s")
        _require_success(database, programs, committing=committing)
    observer.finished("")


@dataclass(frozen=True, slots=True)
class _Programs:
    """The two ends of the pipe, and their error output."""

    reader: subprocess.Popen[bytes]
    psql: subprocess.Popen[bytes]
    reader_errors: IO[bytes]
    psql_errors: IO[bytes]

    def end(self) -> None:
        """End both programs."""
        end_program(self.psql)
        end_program(self.reader)


@contextmanager
def _start(
    database: ManagedDatabase, archive: Archive, options: Sequence[str]
) -> Iterator[_Programs]:
    reader: list[str | Path] = [
        archive.program,
        "--file=-",
        "--use-list=/dev/stdin",
        *options,
        archive.path,
    ]
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        entries, reader_errors, psql_errors = (
            stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)
        )
        entries.write("\n".join(archive.select_entries(database.schema)).encode())
        entries.seek(0)
        yield _Programs(
            stack.enter_context(
                running(reader, database, stdin=entries, stdout=pipe, stderr=reader_errors)
            ),
            stack.enter_context(
                running(_psql(archive), database, stdin=pipe, stdout=pipe, stderr=psql_errors)
            ),
            reader_errors,
            psql_errors,
        )


def _psql(archive: Archive) -> list[str | Path]:
    # Prefer the psql beside pg_restore. Another may not know the commands in its script.
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
    """Pass the script to psql, and commit when psql has run all of it.

    Returns whether COMMIT was sent. False means that pg_restore failed or that psql has ended.
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
            # Only now: if larp is killed earlier, psql must not get a COMMIT.
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
    passed, reported_at = len(head), time.monotonic()
    while chunk := source.read(CHUNK):
        _write(sink, chunk)
        passed += len(chunk)
        if time.monotonic() - reported_at >= TICK:
            observer.progress(format_bytes(passed))
            reported_at = time.monotonic()


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
    """Restore the environment stamp and the grants, then make psql answer."""
    statements: list[sql.Composable] = [sql.SQL("SET client_encoding = 'UTF8'")]
    books = database.bookkeeping
    if books.is_beside_version_table:
        statements += stamp_environment_statements(database)
        # Default privileges apply to the tables that the dump creates.
        ours = map(books.identifier_of, BOOKKEEPING_TABLES)
        statements += map(revoke_writing, (database.version_table.identifier, *ours))
    script = "".join(f"\n{statement.as_string()};" for statement in statements)
    return f"{script}\n\\echo restored\n".encode()


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
            f"{error.message}; the connection was lost during COMMIT, so it is unknown whether the"
            " schema was replaced",
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
        return dependents_refused(message)
    if MISSING_ROLE.search(message):
        return CommandFailed(
            f"the backup refers to a role that does not exist here: {message}",
            hint="restore without owners and grants: --no-owner --no-privileges",
        )
    try:
        error = psycopg.errors.lookup(state)(message)
    except KeyError:
        return failure("psql", psql, errors)
    return translate(error, database.url)
