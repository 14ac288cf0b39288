"""``larp db migrate``: a revision that fails or is stopped leaves what was committed before it."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import has, query, running, until, versions
from tests.integration.cli.db.conftest import Build
from tests.processes import PATIENCE
from tests.projects import VERSIONS, ForeignProject, sql

IMPATIENT = {"MIGRATION_LOCK_TIMEOUT": "0.1", "MIGRATION_LOCK_RETRIES": "1"}
SLEEP = 'op.execute("SELECT pg_sleep(" + os.environ.get("SLOW", "0") + ")")'


# --- failing --------------------------------------------------------------------------


def test_a_failing_revision_leaves_those_before_it_committed(
    larp: Larp, build: Build, empty: str
) -> None:
    """Each revision has a transaction of its own, and the error says which are committed."""
    project = build()
    project.chain(
        sql("CREATE TABLE first ()"),
        sql("CREATE TABLE second ()"),
        sql("CREATE TABLE third ()", "SELECT 1/0"),
        sql("CREATE TABLE fourth ()"),
    )

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    message = outcome.document["error"]["message"]
    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert outcome.document["changed"] is True
    assert "revision r3 (do r3) failed: " in message
    assert "division by zero" in message
    assert message.endswith("committed before it in this run: r1, r2")
    assert versions(empty, VERSIONS) == ["r2"]
    assert [has(empty, name) for name in ("first", "second", "third", "fourth")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_statement_that_ran_out_of_time_is_a_failed_revision(
    larp: Larp, build: Build, empty: str
) -> None:
    """The server is there and answers: nothing before it can be lost."""
    project = build()
    project.chain(sql("CREATE TABLE first ()"), sql("SELECT pg_sleep(60)"))

    outcome = larp(
        "db", "migrate", "-c", project.config, "--json", env={"MIGRATION_STATEMENT_TIMEOUT": "0.3"}
    )

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    error = outcome.document["error"]
    assert error["message"].endswith("; committed before it in this run: r1")
    assert error["hint"].startswith("raise MIGRATION_STATEMENT_TIMEOUT")


def test_a_revision_that_was_mended_is_run_again(larp: Larp, build: Build, empty: str) -> None:
    """The hint of a failure is true: mend the revision, then migrate."""
    project = build()
    project.chain(sql("CREATE TABLE first ()"), sql("CREATE TABLE second ()", "SELECT 1/0"))
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.MIGRATION_FAILED

    project.chain(sql("CREATE TABLE first ()"), sql("CREATE TABLE second ()"))
    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert [item["revision"] for item in outcome.result["applied"]] == ["r2"]
    assert has(empty, "second")


def test_a_revision_that_fails_in_python_is_told_like_any_other(
    larp: Larp, build: Build, empty: str
) -> None:
    """An exception of the revision's own code names the revision, without a traceback."""
    project = build()
    project.chain('raise RuntimeError("no such tenant")')

    outcome = larp("db", "migrate", "-c", project.config)

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "revision r1 (do r1) failed: RuntimeError: no such tenant" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_password_in_a_failing_statement_stays_hidden(
    larp: Larp, build: Build, empty: str
) -> None:
    """What a revision puts into its error is redacted like all else."""
    project = build()
    project.chain('raise RuntimeError("cannot reach " + os.environ["DATABASE_URL"])')

    outcome = larp("db", "migrate", "-c", project.config, "--debug")

    assert "cannot reach postgresql://larp_owner:***@" in outcome.stderr
    assert "sesame" not in outcome.stderr


def test_a_locked_table_holds_a_migration_up_for_a_bounded_time(
    larp: Larp, build: Build, empty: str
) -> None:
    """DDL never queues longer than the lock timeout in front of the application."""
    query(empty, "CREATE TABLE busy (id int)")
    project = build()
    project.chain(sql("CREATE TABLE first ()"), sql("ALTER TABLE busy ADD name text"))

    with psycopg.connect(empty) as application:
        application.execute("SELECT * FROM busy")
        began = time.monotonic()
        outcome = larp("db", "migrate", "-c", project.config, "--json", env=IMPATIENT)
        waited = time.monotonic() - began

    assert outcome.exit_code == ExitCode.LOCKED
    assert "committed before it in this run: r1" in outcome.document["error"]["message"]
    assert waited < PATIENCE
    assert versions(empty, VERSIONS) == ["r1"]
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK


# --- signals --------------------------------------------------------------------------


@pytest.fixture
def slow(build: Build) -> ForeignProject:
    """A project whose second revision sleeps on the server for as long as SLOW says."""
    project = build()
    project.chain(
        sql("CREATE TABLE first ()"),
        sql("CREATE TABLE second ()") + "\n" + SLEEP,
        sql("CREATE TABLE third ()"),
    )
    return project


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGINT, ExitCode.INTERRUPTED)],
)
def test_a_signal_in_a_slow_revision_rolls_it_back(
    larp_process: LarpProcess,
    slow: ForeignProject,
    empty: str,
    number: signal.Signals,
    code: ExitCode,
) -> None:
    """The server's statement is cancelled, the revision undone, and the next run finishes."""
    arguments = ("db", "migrate", "-c", slow.config, "--json")
    with larp_process.start(*arguments, env={"SLOW": "60"}) as process:
        until(lambda: running(empty, "pg_sleep(60)"))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == code, stderr
    assert f'"exit_code": {int(code)}' in stdout
    assert "stopped in revision r2; committed before it in this run: r1" in stderr
    until(lambda: not running(empty, "pg_sleep(60)"))
    assert versions(empty, VERSIONS) == ["r1"]
    assert not has(empty, "second")
    again = larp_process(*arguments)
    assert again.exit_code == ExitCode.OK
    assert [item["revision"] for item in again.result["applied"]] == ["r2", "r3"]


def test_after_a_kill_the_next_migrate_finishes(
    larp_process: LarpProcess, slow: ForeignProject, empty: str
) -> None:
    """A ``kill -9`` leaves no mutex and no half revision, and the server drops its statement."""
    arguments = ("db", "migrate", "-c", slow.config, "--json")
    with larp_process.start(*arguments, env={"SLOW": "60"}) as process:
        until(lambda: running(empty, "pg_sleep(60)"))
        process.kill()
        process.communicate(timeout=PATIENCE)

    again = larp_process(*arguments)

    assert again.exit_code == ExitCode.OK, again.stdout
    assert [item["revision"] for item in again.result["applied"]] == ["r2", "r3"]
    until(lambda: not running(empty, "pg_sleep(60)"))


def test_timeout_bounds_the_whole_command(larp: Larp, slow: ForeignProject, empty: str) -> None:
    """The option ``--timeout`` cancels the statement on the server, and rolls the revision back."""
    arguments = ("db", "migrate", "-c", slow.config, "--json", "--timeout", "1.5")

    outcome = larp(*arguments, env={"SLOW": "60"})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "not finished within 1.5 s" in outcome.document["error"]["message"]
    until(lambda: not running(empty, "pg_sleep(60)"))
    assert not has(empty, "second")


def test_a_log_call_that_fails_takes_no_message_from_the_error_after_it(
    larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """Both are on stderr, and stdout is the one JSON document."""
    project = build()
    text = project.environment.read_text()
    project.environment.write_text(text.replace("fileConfig(config.config_file_name)", ""))
    project.chain("import logging; logging.warning('%d', 'many'); 1 / 0")
    words = ("db", "migrate", "-c", project.config)

    as_text, as_json = larp_process(*words), larp_process(*words, "--json")

    for outcome in (as_text, as_json):
        assert outcome.exit_code == ExitCode.MIGRATION_FAILED
        assert outcome.stderr.count("a log call failed: TypeError") == 1
    assert "error: revision r1 (do r1) failed: ZeroDivisionError" in as_text.stderr
    assert "ZeroDivisionError" in as_json.document["error"]["message"]
