"""``larp db restore``: all or nothing, whatever ends it in the middle or stands in its way."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from larp_cli.postgres.embedded import installation
from tests.catalogue import catalogue
from tests.conftest import Larp, LarpProcess
from tests.databases import SCHEMA, dump, has, held_mutex, name_of, query, running, until
from tests.processes import PATIENCE
from tests.restoring import confirmed
from tests.servers import Server


def test_a_statement_that_fails_in_the_middle_undoes_all(
    larp: Larp, saved: str, tmp_path: Path
) -> None:
    """The catalogue is what it was when a constraint of the dump does not hold."""
    query(saved, f"CREATE TABLE {SCHEMA}.last (id int)")
    query(
        saved,
        f"CREATE FUNCTION {SCHEMA}.fails(int) RETURNS bool LANGUAGE plpgsql AS"
        f" 'BEGIN RETURN to_regclass(''others.kept'') IS NOT NULL; END'",
    )
    query(saved, f"ALTER TABLE {SCHEMA}.last ADD CHECK ({SCHEMA}.fails(id))")
    query(saved, f"INSERT INTO {SCHEMA}.last VALUES (1)")
    assert larp("db", "backup", "schema.dump", "--force").exit_code == ExitCode.OK
    query(saved, "DROP TABLE others.kept")
    query(saved, f"CREATE TABLE {SCHEMA}.since AS SELECT 1 AS id")
    before, whole = catalogue(saved, SCHEMA), dump(saved)

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    message = outcome.document["error"]["message"]
    assert re.search("violates check constraint.*; nothing was changed$", message), message
    assert catalogue(saved, SCHEMA) == before
    assert dump(saved) == whole


def test_a_pg_restore_that_dies_in_the_middle_undoes_all(
    larp: Larp, saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What psql got until then is not committed: it never gets the COMMIT."""
    fake = tmp_path / "bin" / "pg_restore"
    fake.parent.mkdir()
    fake.write_text(
        f"#!{sys.executable}\n"
        "import os, subprocess, sys\n"
        f"command = [{str(installation() / 'pg_restore')!r}, *sys.argv[1:]]\n"
        "if '--file=-' not in sys.argv:\n"
        "    os.execv(command[0], command)\n"
        "script = subprocess.run(command, capture_output=True).stdout\n"
        "os.write(1, script[:script.index(b'FROM stdin;') + 40])\n"
        "print('pg_restore: error: it died', file=sys.stderr)\n"
        "sys.exit(1)\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    before = dump(saved)

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    message = outcome.document["error"]["message"]
    assert message == "pg_restore failed: pg_restore: error: it died; nothing was changed"
    assert dump(saved) == before


@pytest.fixture
def slow(larp: Larp, saved: str) -> str:
    """URL of a database whose backup takes some seconds to restore, near its end."""
    query(
        saved,
        f"CREATE FUNCTION {SCHEMA}.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN IF $1 = 1 AND current_setting(''application_name'') = ''larp''"
        " THEN PERFORM pg_sleep(5); END IF; RETURN $1; END'",
    )
    query(saved, f"CREATE INDEX slow ON {SCHEMA}.hero ({SCHEMA}.slow(id))")
    assert larp("db", "backup", "schema.dump", "--force").exit_code == ExitCode.OK
    return saved


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_signal_in_the_middle_undoes_all(
    larp_process: LarpProcess, slow: str, number: signal.Signals, code: int
) -> None:
    """The server's statement ends soon after larp does, and nothing is changed."""
    before, whole = catalogue(slow, SCHEMA), dump(slow)

    with larp_process.start(*confirmed(slow)) as process:
        until(lambda: running(slow, "CREATE INDEX slow"))
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    until(lambda: not running(slow, "CREATE INDEX slow"))

    assert process.returncode == code
    assert catalogue(slow, SCHEMA) == before
    assert dump(slow) == whole


def test_an_administrator_who_ends_the_session_undoes_all(
    larp_process: LarpProcess, slow: str, server: Server
) -> None:
    """The server's own words are told, under the code for a database that went away."""
    before = dump(slow)

    with larp_process.start(*confirmed(slow)) as process:
        until(lambda: running(slow, "CREATE INDEX slow"))
        (pid,) = running(slow, "CREATE INDEX slow")
        server.execute(f"SELECT pg_terminate_backend({pid})")
        stdout, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.UNREACHABLE, stdout
    assert dump(slow) == before


@pytest.mark.parametrize(
    "hanging",
    [
        f"CREATE VIEW others.hanging AS SELECT * FROM {SCHEMA}.hero",
        f"ALTER TABLE others.kept ADD hero int REFERENCES {SCHEMA}.hero",
    ],
)
def test_what_hangs_on_the_schema_from_outside_is_not_dropped_with_it(
    larp: Larp, saved: str, hanging: str
) -> None:
    """It is named, and refused with 6."""
    query(saved, hanging)
    before = dump(saved)

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.REFUSED, outcome.stdout
    message = outcome.document["error"]["message"]
    assert "would also drop" in message and message.endswith("; nothing was changed")
    assert dump(saved) == before


def test_a_table_in_use_is_waited_for_no_longer_than_the_lock_timeout(
    larp: Larp, saved: str, unchanged: None
) -> None:
    """A session that reads a table keeps it: exit 7, and nothing is changed."""
    with psycopg.connect(saved) as application:
        application.execute(f"SELECT * FROM {SCHEMA}.hero")
        outcome = larp(*confirmed(saved), env={"MIGRATION_LOCK_TIMEOUT": "0.2"})

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stdout
    assert outcome.document["error"]["message"].endswith("; nothing was changed")


def test_a_migrator_at_work_is_not_disturbed(larp: Larp, saved: str, unchanged: None) -> None:
    """While another holds the mutex nothing is backed up or replaced."""
    with held_mutex(saved):
        outcome = larp(*confirmed(saved), env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.LOCKED


def test_if_the_backup_before_fails_nothing_is_replaced(
    larp: Larp, saved: str, unchanged: None, tmp_path: Path
) -> None:
    """No place for what is there means that it stays there."""
    (tmp_path / "file").write_text("")
    arguments = ("db", "restore", "schema.dump", "--json", "--confirm", name_of(saved))

    outcome = larp(*arguments, env={"LARP_HOME": str(tmp_path / "file" / "home")})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert has(saved, f"{SCHEMA}.hero")
