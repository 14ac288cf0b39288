"""Many migrators, killed migrators, busy databases: what an operator must not have to think of."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import dump, has, query, running, until, value, versions
from tests.processes import PATIENCE
from tests.projects import ForeignProject, foreign_project, sql
from tests.servers import Server

COUNTED = 24
"""Revisions of the counted project: enough to be killed in the middle of."""


@pytest.fixture
def counted(tmp_path: Path) -> ForeignProject:
    """A project whose every revision makes a table and counts itself."""
    project = foreign_project(tmp_path / "counted")
    project.chain(
        sql("CREATE TABLE counter (revision text NOT NULL)"),
        *(
            sql(
                f"CREATE TABLE t{number} (id bigint PRIMARY KEY, name text)",
                f"INSERT INTO counter VALUES ('r{number}')",
            )
            for number in range(2, COUNTED + 1)
        ),
    )
    return project


def test_of_many_migrators_at_once_one_does_the_work(
    larp_process: LarpProcess, larp: Larp, counted: ForeignProject, database: str
) -> None:
    """Eight migrators at once all succeed, and each revision is applied exactly once."""
    arguments = ("db", "migrate", "--json", "-c", counted.config)
    processes = [larp_process.start(*arguments, env={"DATABASE_URL": database}) for _ in range(8)]
    for process in processes:
        process.communicate(timeout=PATIENCE)

    assert [process.returncode for process in processes] == [ExitCode.OK] * 8
    assert value(database, "SELECT count(*) FROM counter") == COUNTED - 1
    assert value(database, "SELECT count(DISTINCT revision) FROM counter") == COUNTED - 1
    runs = larp("db", "history", "--json", "-c", counted.config, env={"DATABASE_URL": database})
    applied = [run["revision"] for run in runs.result["runs"]]
    assert sorted(applied) == sorted(f"r{number}" for number in range(1, COUNTED + 1))


def test_a_killed_migrator_is_finished_by_the_next(
    larp_process: LarpProcess, larp: Larp, counted: ForeignProject, server: Server
) -> None:
    """A kill -9 at any instant leaves a database that the next migrate brings to the same end."""
    undisturbed = server.url(server.create())
    arguments = ("db", "migrate", "-c", counted.config)
    assert larp(*arguments, env={"DATABASE_URL": undisturbed}).exit_code == ExitCode.OK
    expected = dump(undisturbed, "--schema-only", "--no-owner")

    for attempt in range(3):
        disturbed = server.url(server.create())
        process = larp_process.start(*arguments, env={"DATABASE_URL": disturbed})
        victim = random.Random(attempt).randint(1, COUNTED)
        _until_table(process, disturbed, f"t{victim}")
        process.kill()
        process.communicate()
        finished = larp(*arguments, env={"DATABASE_URL": disturbed})

        assert finished.exit_code == ExitCode.OK, finished.stderr
        assert value(disturbed, "SELECT count(*) FROM counter") == COUNTED - 1
        assert dump(disturbed, "--schema-only", "--no-owner") == expected


def _until_table(process: subprocess.Popen[str], url: str, table: str) -> None:
    until(lambda: process.poll() is not None or has(url, table))


def test_the_application_never_queues_for_longer_than_the_lock_timeout(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """While a revision waits for a table, queries on it are held up for the lock timeout only."""
    project = foreign_project(tmp_path / "busy")
    project.chain(sql("CREATE TABLE busy (id bigint)"), sql("ALTER TABLE busy ADD COLUMN x text"))
    environment = {
        "DATABASE_URL": database,
        "MIGRATION_LOCK_TIMEOUT": "0.4",
        "MIGRATION_LOCK_RETRIES": "50",
    }
    arguments = ("db", "migrate", "-c", project.config)
    assert larp_process(*arguments, "r1", env=environment).exit_code == ExitCode.OK
    longest = 0.0
    with psycopg.connect(database, application_name="billing") as holder:
        holder.execute("LOCK TABLE busy IN ACCESS SHARE MODE")
        process = larp_process.start(*arguments, env=environment)
        until(lambda: running(database, "ALTER TABLE busy"))
        with psycopg.connect(database, autocommit=True) as application:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                began = time.monotonic()
                application.execute("SELECT count(*) FROM busy")
                longest = max(longest, time.monotonic() - began)
                time.sleep(0.01)
        assert process.poll() is None
    _, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.OK, stderr
    assert versions(database, "alembic_version") == ["r2"]
    assert longest < 3.0  # of the five seconds that the table stays locked
    assert "billing" in stderr


def test_a_table_that_stays_locked_ends_in_seven_and_names_the_holder(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """When every retry was in vain, the error names pid and application of who holds the lock."""
    project = foreign_project(tmp_path / "locked")
    project.chain(sql("CREATE TABLE busy (id bigint)"), sql("ALTER TABLE busy ADD COLUMN x text"))
    environment = {
        "DATABASE_URL": database,
        "MIGRATION_LOCK_TIMEOUT": "0.3",
        "MIGRATION_LOCK_RETRIES": "1",
    }
    larp("db", "migrate", "r1", "-c", project.config, env=environment)
    with psycopg.connect(database, application_name="billing") as holder:
        holder.execute("INSERT INTO busy VALUES (424242)")
        outcome = larp("db", "migrate", "-c", project.config, env=environment)

        assert outcome.exit_code == ExitCode.LOCKED
        assert f"pid {holder.info.backend_pid}" in outcome.stderr
    assert "billing" in outcome.stderr
    assert "424242" not in outcome.stderr
    assert "committed before it in this run: none" in outcome.stderr


@pytest.mark.parametrize("clause", ["", "IF NOT EXISTS "])
def test_an_invalid_index_is_named_and_rebuilt(
    larp: Larp, tmp_path: Path, database: str, clause: str
) -> None:
    """A CONCURRENTLY that failed leaves an invalid index: it is told, and made valid later."""
    project = foreign_project(tmp_path / "index")
    project.chain(
        sql("CREATE TABLE people (name text)", "INSERT INTO people VALUES ('a'), ('a')"),
        f"""
        with op.get_context().autocommit_block():
            op.execute("CREATE UNIQUE INDEX CONCURRENTLY {clause}people_name ON people (name)")
        """,
    )
    arguments = ("db", "migrate", "-c", project.config)
    first = larp(*arguments, env={"DATABASE_URL": database})
    status = larp("db", "status", "--json", "-c", project.config, env={"DATABASE_URL": database})
    query(database, "DELETE FROM people WHERE ctid = (SELECT max(ctid) FROM people)")
    second = larp(*arguments, env={"DATABASE_URL": database})

    assert first.exit_code == ExitCode.MIGRATION_FAILED
    assert "people_name" in first.stderr
    assert status.result["invalid_indexes"] == ["people_name"]
    assert second.exit_code == ExitCode.OK, second.stderr
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'people_name'::regclass"
    assert value(database, valid) is True


OLDER = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE query LIKE '%%CONCURRENTLY people_name%%' AND pid <> pg_backend_pid()
      AND clock_timestamp() - query_start > %s * interval '1 s'
)
"""
"""Whether the build runs for longer than some seconds."""


def test_an_index_built_concurrently_may_wait_longer_than_the_lock_timeout(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """CONCURRENTLY waits for older transactions, blocks nobody, and has a timeout of its own."""
    project = foreign_project(tmp_path / "index")
    project.chain(
        sql("CREATE TABLE people (name text)"),
        """
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY people_name ON people (name)")
        op.execute("SELECT set_config('larp.lock', current_setting('lock_timeout'), false)")
        op.execute("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock_timeout")
        """,
    )
    environment = {
        "DATABASE_URL": database,
        "MIGRATION_LOCK_TIMEOUT": "0.2",
        "MIGRATION_LOCK_RETRIES": "0",
    }
    larp_process("db", "migrate", "r1", "-c", project.config, env=environment)
    with psycopg.connect(database) as writer:
        writer.execute("INSERT INTO people VALUES ('a')")
        process = larp_process.start("db", "migrate", "-c", project.config, env=environment)
        until(lambda: running(database, "CONCURRENTLY people_name"))
        until(lambda: value(database, OLDER, 0.6))  # three times the lock timeout
        assert process.poll() is None
    _, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.OK, stderr
    assert value(database, "SELECT lock_timeout FROM seen") == "200ms"


def test_a_server_that_restarts_in_the_middle_is_told_and_finished_later(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """A session ended by the server ends in 5 with what is committed; the next run finishes."""
    project = foreign_project(tmp_path / "slow")
    project.chain(
        sql("CREATE TABLE first (id bigint)"),
        sql("CREATE TABLE second (id bigint)", "SELECT pg_sleep(nap) FROM nap"),
    )
    query(database, "CREATE TABLE nap AS SELECT 60 AS nap")
    arguments = ("db", "migrate", "-c", project.config)
    process = larp_process.start(*arguments, env={"DATABASE_URL": database})
    until(lambda: running(database, "pg_sleep(nap)"))
    query(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'larp-migrate%' AND datname = current_database()",
    )
    _, stderr = process.communicate(timeout=PATIENCE)
    query(database, "UPDATE nap SET nap = 0")

    assert process.returncode == ExitCode.UNREACHABLE, stderr
    assert "committed before it in this run: r1" in stderr
    assert "if the server crashed, the newest of them may be lost" in stderr
    assert larp_process(*arguments, env={"DATABASE_URL": database}).exit_code == ExitCode.OK
    assert has(database, "second")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_in_the_ledger(
    larp_process: LarpProcess, larp: Larp, tmp_path: Path, database: str, number: signal.Signals
) -> None:
    """A revision that a signal stopped stands in the ledger as interrupted."""
    project = foreign_project(tmp_path / "slow")
    project.chain(sql("CREATE TABLE first ()"), sql("SELECT pg_sleep(60)"))
    process = larp_process.start(
        "db", "migrate", "--json", "-c", project.config, env={"DATABASE_URL": database}
    )
    until(lambda: running(database, "pg_sleep(60)"))
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=PATIENCE)
    history = larp("db", "history", "--json", "-c", project.config, env={"DATABASE_URL": database})

    assert process.returncode == 128 + number
    assert json.loads(stdout)["changed"] is True
    assert [run["outcome"] for run in history.result["runs"]] == ["interrupted", "succeeded"]
    until(lambda: not running(database, "pg_sleep(60)"))


def test_plain_alembic_and_larp_take_turns(
    larp: Larp, counted: ForeignProject, database: str
) -> None:
    """Either may go on where the other stopped, up and down."""
    environment = {"DATABASE_URL": database}
    assert larp("db", "migrate", "r5", "-c", counted.config, env=environment).exit_code == 0
    assert counted.alembic("upgrade", "r9", url=database).returncode == 0
    assert larp("db", "migrate", "r12", "-c", counted.config, env=environment).exit_code == 0
    assert versions(database, "alembic_version") == ["r12"]
    status = larp("db", "status", "--json", "-c", counted.config, env=environment)
    assert status.result["current"] == ["r12"]
    assert value(database, "SELECT count(*) FROM counter") == 11
