"""psql on the configured database."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from larp_cli.errors import CommandFailed
from larp_cli.postgres.catalog import read_server_major
from larp_cli.postgres.pooler import is_direct
from larp_cli.postgres.programs import client_environment, find_program
from larp_cli.results import ShellOutput
from larp_cli.system.signals import handlers

if TYPE_CHECKING:
    from larp_cli.postgres.database import Database


SEARCH_PATH = """
SELECT format('%%I, %%s', %(schema)s::text, setting)
FROM pg_settings
WHERE name = 'search_path' AND source IN ('default', 'configuration file')
  AND to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL
"""
"""A search path set for a role or a database is kept."""


def open_shell(database: Database, schema: str, arguments: Sequence[str]) -> int:
    """Run psql on this terminal; returns its exit status.

    While psql runs it handles Ctrl-C itself: it cancels the statement and keeps the session.
    """
    command, environment = _prepare(database, schema, arguments)
    # A handler rather than SIG_IGN: psql would inherit an ignored signal.
    with handlers({signal.SIGINT: lambda _number, _frame: None}):
        process = subprocess.Popen(command, env=environment)
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
        # Like a shell: 128 plus the number of the signal that ended psql.
        return status if status >= 0 else 128 - status


def capture_shell(
    database: Database, schema: str, arguments: Sequence[str], *, timeout: float
) -> ShellOutput:
    """Run psql without a terminal and keep what it writes.

    Raises:
        CommandFailed: psql took longer than ``timeout`` seconds.
    """
    command, environment = _prepare(database, schema, arguments)
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"psql did not finish within {timeout:g} s") from error
    return ShellOutput(output=done.stdout, status=done.returncode)


def _prepare(
    database: Database, schema: str, arguments: Sequence[str]
) -> tuple[list[str], Mapping[str, str]]:
    r"""Find the psql of the server's version; ``\d`` in it shows the schema that larp manages."""
    with database.connection() as connection:
        environment = client_environment(database)  # the host is known once connected
        major = read_server_major(connection)
        row = connection.execute(SEARCH_PATH, {"schema": schema}).fetchone()
        # A pooler would refuse the option.
        if (
            row
            and not environment.get("PGOPTIONS")
            and is_direct(connection, database.connect_timeout)
        ):
            environment["PGOPTIONS"] = "-csearch_path=" + re.sub(r"([\\ ])", r"\\\1", row[0])
    return [str(find_program("psql", server_major=major)), *arguments], environment
