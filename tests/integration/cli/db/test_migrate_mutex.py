"""``larp db migrate``: of several migrators one migrates, and the others wait in bounds."""

from __future__ import annotations

import re
import time
from contextlib import closing

import psycopg

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import has, held_mutex, query, running, until, value, versions
from tests.integration.cli.db.conftest import Build
from tests.processes import PATIENCE
from tests.projects import VERSIONS, sql

WAIT_FOR_RELEASE = """
DO $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4242) LOOP
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$$
"""
"""Runs until no session holds the advisory lock 4242, however slow the machine is."""

KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = %s AND datname = current_database()
"""


def test_a_migrator_that_waits_says_for_whom_and_gives_up_in_time(larp: Larp, empty: str) -> None:
    """The holder's pid and application are named while waiting and in the error."""
    with held_mutex(empty, application="deploy 17") as holder:
        began = time.monotonic()
        outcome = larp("db", "migrate", "--json", env={"MIGRATION_MUTEX_WAIT": "0.3"})
        waited = time.monotonic() - began
        pid = holder.info.backend_pid

    assert outcome.exit_code == ExitCode.LOCKED
    assert f"pid {pid}, app deploy 17, user larp_owner" in outcome.document["error"]["message"]
    assert re.search(rf"^waiting for .*pid {pid}, app deploy 17", outcome.stderr, re.MULTILINE)
    assert 0.3 <= waited < 30
    assert not has(empty, "larp_manager.alembic_version")


def test_a_migrator_that_waited_finds_the_work_done(
    larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """Of three at once one applies each revision; the others succeed with nothing to do."""
    project = build()
    project.chain(sql("CREATE TABLE once ()", "SELECT pg_sleep(0.5)"), sql("CREATE TABLE two ()"))

    processes = [
        larp_process.start("db", "migrate", "-c", project.config, "--json") for _ in range(3)
    ]
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum('"changed": true' in output for output in outputs) == 1
    assert versions(empty, VERSIONS) == ["r2"]


def test_a_migrator_that_lost_the_mutex_does_not_go_on(
    larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """When the session that holds the mutex ends, nothing more is committed."""
    project = build()
    project.chain("pass", sql(WAIT_FOR_RELEASE), sql("CREATE TABLE second ()"))

    holder = psycopg.connect(empty, autocommit=True)
    holder.execute("SELECT pg_advisory_lock(4242)")
    arguments = ("db", "migrate", "-c", project.config, "--json")
    with closing(holder), larp_process.start(*arguments) as process:
        until(lambda: running(empty, "pg_sleep"))
        query(empty, KILL, "larp-migrate-mutex")
        holder.close()
        stdout, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.UNREACHABLE, stdout
    assert "committed before it in this run: r1" in stdout
    assert versions(empty, VERSIONS) == ["r1"]
    assert not has(empty, "second")


def test_who_works_is_named_and_waited_for_when_the_mutex_is_lost(
    larp: Larp, larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """Another migration waits for the session that works, and then looks again."""
    project = build()
    project.chain(sql(WAIT_FOR_RELEASE))
    arguments = ("db", "migrate", "-c", project.config, "--json")

    holder = psycopg.connect(empty, autocommit=True)
    holder.execute("SELECT pg_advisory_lock(4242)")
    with closing(holder), larp_process.start(*arguments) as first:
        until(lambda: running(empty, "pg_sleep"))
        (pid,) = running(empty, "pg_sleep")
        query(empty, KILL, "larp-migrate-mutex")
        status = larp("db", "status", "-c", project.config, "--json")
        late = larp(*arguments, env={"MIGRATION_MUTEX_WAIT": "0.3"})
        holder.close()
        second = larp(*arguments)
        first.communicate(timeout=PATIENCE)

    assert [holder["pid"] for holder in status.result["lock_holders"]] == [pid]
    assert late.exit_code == ExitCode.LOCKED
    assert f"pid {pid}, app larp-migrate," in late.document["error"]["message"]
    assert second.exit_code == ExitCode.OK, second.stdout
    assert versions(empty, VERSIONS) == ["r1"]


def test_the_mutex_of_one_schema_does_not_hold_up_another(larp: Larp, empty: str) -> None:
    """Two installations in two schemas of one database migrate independently."""
    with held_mutex(empty, "other_schema"):
        outcome = larp("db", "migrate", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.OK


def test_a_signal_while_waiting_for_the_mutex_ends_the_waiting(
    larp_process: LarpProcess, empty: str
) -> None:
    """SIGTERM ends a migrator that only waits, and the database stays as it was."""
    with held_mutex(empty):
        with larp_process.start("db", "migrate", stderr=None, stdout=None) as process:
            until(lambda: _waiting(empty))
            process.terminate()
            process.wait(timeout=PATIENCE)

    assert process.returncode == ExitCode.TERMINATED
    assert not has(empty, "larp_manager.alembic_version")


def _waiting(url: str) -> bool:
    statement = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'larp-migrate-mutex' AND datname = current_database()"
    )
    return bool(value(url, statement))
