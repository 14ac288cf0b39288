from __future__ import annotations

import re
import signal
import time

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import HEAD, has, held_mutex, query, running, until, value, versions
from tests.integration.cli.db.conftest import Build
from tests.projects import ForeignProject, sql

VERSIONS = "alembic_version"
SLEEP = 'op.execute("SELECT pg_sleep(" + os.environ.get("SLOW", "0") + ")")'
IMPATIENT = {"MIGRATION_LOCK_TIMEOUT": "0.1", "MIGRATION_LOCK_RETRIES": "1"}


def test_migrate_applies_what_is_pending_and_then_nothing(larp: Larp, empty: str) -> None:
    """The first run applies every revision; the second says that nothing is to do."""
    first = larp("db", "migrate", "--json")
    second = larp("db", "migrate", "--json")
    plain = larp("db", "migrate")

    assert (first.exit_code, first.document["changed"]) == (ExitCode.OK, True)
    assert [item["revision"] for item in first.result["applied"]] == [HEAD]
    assert (first.result["before"], first.result["after"]) == ([], [HEAD])
    assert (second.exit_code, second.document["changed"]) == (ExitCode.OK, False)
    assert (second.result["before"], second.result["after"]) == ([HEAD], [HEAD])
    assert plain.stdout.startswith("nothing to do: ")
    assert versions(empty) == [HEAD]


def test_at_head_no_lock_is_asked_for(larp: Larp, ready: str) -> None:
    """Running pods are not disturbed: at head it neither takes the mutex nor waits for it."""
    with held_mutex(ready):
        outcome = larp("db", "migrate", "--json", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is False


def test_at_head_even_locked_tables_do_not_matter(larp: Larp, ready: str) -> None:
    """A table that a migration of others holds exclusively does not hold up a start at head."""
    with psycopg.connect(ready) as other:
        other.execute("CREATE TABLE larp_manager.busy ()")
        outcome = larp("db", "migrate", "--json")

    assert outcome.exit_code == ExitCode.OK


# --- targets --------------------------------------------------------------------------


@pytest.fixture
def chain(build: Build) -> ForeignProject:
    """A project with three revisions, each of which makes a table."""
    project = build()
    for number, below in ((1, None), (2, "aaa1"), (3, "aaa2")):
        name = f"aaa{number}"
        project.revision(name, sql(f"CREATE TABLE t{number} ()"), after=below)
    return project


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["+1"], "aaa1"),
        (["+2"], "aaa2"),
        (["+1", "+1"], "aaa2"),
        (["aaa2"], "aaa2"),
        (["aaa2", "aaa1"], "aaa2"),
        (["aaa1+1"], "aaa2"),
        (["heads"], "aaa3"),
        (["head"], "aaa3"),
        ([], "aaa3"),
    ],
)
def test_targets_are_those_of_alembic(
    larp: Larp, chain: ForeignProject, empty: str, targets: list[str], expected: str
) -> None:
    """A number of steps, a revision, ``heads``: what one knows from alembic works."""
    for target in [[target] for target in targets] or [[]]:
        outcome = larp("db", "migrate", "-c", chain.config, *target)
        assert outcome.exit_code == ExitCode.OK, outcome.stderr

    assert versions(empty, VERSIONS) == [expected]


def test_the_beginning_of_a_revision_is_enough(larp: Larp, build: Build, empty: str) -> None:
    """A unique prefix names a revision."""
    project = build()
    project.revision("deadbeef01")
    project.revision("cafe02", after="deadbeef01")

    outcome = larp("db", "migrate", "-c", project.config, "dead", "--json")

    assert outcome.result["after"] == ["deadbeef01"]


@pytest.mark.parametrize("target", ["nowhere", "aaa", "+7", "aaa1:aaa2", "", "branch@head"])
def test_an_unreachable_target_is_a_configuration_error(
    larp: Larp, chain: ForeignProject, empty: str, target: str
) -> None:
    """An unknown or ambiguous target, or too many steps, end in 4 and change nothing."""
    outcome = larp("db", "migrate", "-c", chain.config, target, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert outcome.document["error"]["message"]
    assert not has(empty, VERSIONS)


def test_going_down_is_not_migrates_business(larp: Larp, chain: ForeignProject, empty: str) -> None:
    """A negative number of steps undoes nothing."""
    larp("db", "migrate", "-c", chain.config)

    outcome = larp("db", "migrate", "-c", chain.config, "--json", "--", "-1")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert versions(empty, VERSIONS) == ["aaa3"]


def test_a_project_without_revisions_has_nothing_to_do(
    larp: Larp, build: Build, empty: str
) -> None:
    """No revision is no error."""
    outcome = larp("db", "migrate", "-c", build().config, "--json")

    assert (outcome.exit_code, outcome.document["changed"]) == (ExitCode.OK, False)


def test_a_database_that_is_ahead_is_left_alone(
    larp: Larp, chain: ForeignProject, empty: str
) -> None:
    """A database with a revision that the code does not have is not migrated."""
    larp("db", "migrate", "-c", chain.config)
    query(empty, "UPDATE alembic_version SET version_num = 'fff9'")

    outcome = larp("db", "migrate", "-c", chain.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "ahead of this code: it is at fff9" in outcome.document["error"]["message"]


@pytest.mark.parametrize(
    ("text", "part"),
    [("def upgrade(:", "cannot be read"), ("import nothing_of_that_name", "nothing_of_that_name")],
)
def test_a_broken_revision_file_is_named(
    larp: Larp, chain: ForeignProject, empty: str, text: str, part: str
) -> None:
    """A file that Python cannot load is a configuration error, not a bug of larp."""
    (chain.directory / "scripts" / "versions" / "broken.py").write_text(text)

    outcome = larp("db", "migrate", "-c", chain.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert part in outcome.document["error"]["message"]


# --- one migrator ---------------------------------------------------------------------


def test_a_migrator_that_waits_says_for_whom_and_gives_up_in_time(larp: Larp, empty: str) -> None:
    """The holder's pid and application are named while waiting and in the error."""
    with held_mutex(empty, application="deploy 17") as holder:
        began = time.monotonic()
        outcome = larp("db", "migrate", "--json", env={"MIGRATION_MUTEX_WAIT": "0.3"})
        waited = time.monotonic() - began
        pid = holder.info.backend_pid

    assert outcome.exit_code == ExitCode.LOCKED
    assert f"pid {pid} (deploy 17, user larp_owner" in outcome.document["error"]["message"]
    assert re.search(rf"^waiting: .*pid {pid} \(deploy 17", outcome.stderr, re.MULTILINE)
    assert 0.3 <= waited < 5
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
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum('"changed": true' in output for output in outputs) == 1
    assert versions(empty, VERSIONS) == ["r2"]


def test_a_migrator_that_lost_the_mutex_does_not_go_on(
    larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """When the session that holds the mutex ends, no further revision is begun."""
    project = build()
    project.chain(sql("SELECT pg_sleep(1)"), sql("CREATE TABLE second ()"))

    with larp_process.start("db", "migrate", "-c", project.config, "--json") as process:
        until(lambda: running(empty, "pg_sleep"))
        query(
            empty,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'larp-migrate-mutex'",
        )
        stdout, _ = process.communicate(timeout=30)

    assert process.returncode == ExitCode.UNREACHABLE, stdout
    assert "committed before it in this run: r1" in stdout
    assert versions(empty, VERSIONS) == ["r1"]
    assert not has(empty, "second")


def test_the_mutex_of_one_schema_does_not_hold_up_another(larp: Larp, empty: str) -> None:
    """Two installations in two schemas of one database migrate independently."""
    with held_mutex(empty, "other_schema"):
        outcome = larp("db", "migrate", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.OK


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
    assert waited < 15
    assert versions(empty, VERSIONS) == ["r1"]
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK


# --- transactions ---------------------------------------------------------------------


def test_an_index_is_built_concurrently_under_the_mutex(
    larp: Larp, build: Build, empty: str
) -> None:
    """An ``autocommit_block`` works, and the mutex's session does not stand in its way."""
    project = build()
    project.chain(
        sql("CREATE TABLE big (id int)"),
        sql("INSERT INTO big VALUES (1)")
        + "\nwith op.get_context().autocommit_block():"
        + '\n    op.execute("CREATE INDEX CONCURRENTLY big_id ON big (id)")',
        sql("CREATE TABLE after ()"),
    )

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert versions(empty, VERSIONS) == ["r3"]
    assert value(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'big_id'::regclass")
    assert value(empty, "SELECT count(*) FROM big") == 1


def test_the_lock_timeout_holds_inside_an_autocommit_block(
    larp: Larp, build: Build, empty: str
) -> None:
    """Set on the session, it is not lost where ``SET LOCAL`` would be."""
    project = build()
    project.chain(
        "with op.get_context().autocommit_block():"
        "\n    op.execute(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value\")"
    )

    larp("db", "migrate", "-c", project.config, env={"MIGRATION_LOCK_TIMEOUT": "2.5"})

    assert value(empty, "SELECT value FROM seen") == "2500ms"


@pytest.mark.parametrize(
    "before",
    [
        "connection.execute(sa.text('SELECT 1'))",
        "connection.execute(sa.text('SET work_mem = 128'))",
    ],
)
def test_a_transaction_left_open_by_env_py_is_no_success(
    larp: Larp, build: Build, empty: str, before: str
) -> None:
    """In a transaction that was begun already Alembic commits nothing; larp does not say OK."""
    project = build(before=before)
    project.chain(sql("CREATE TABLE first ()"), sql("CREATE TABLE second ()"))

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "nothing was committed" in outcome.document["error"]["message"]
    assert not has(empty, "first")
    assert not has(empty, VERSIONS)


def test_an_env_py_that_commits_its_own_transaction_is_fine(
    larp: Larp, build: Build, empty: str
) -> None:
    """Reading something first, and committing it, is what Alembic's cookbook does."""
    project = build(before="connection.execute(sa.text('SELECT 1')); connection.commit()")
    project.chain(sql("CREATE TABLE first ()"), sql("CREATE TABLE second ()"))

    outcome = larp("db", "migrate", "-c", project.config)

    assert outcome.exit_code == ExitCode.OK
    assert versions(empty, VERSIONS) == ["r2"]


# --- what revisions do to our streams -------------------------------------------------


def test_what_revisions_print_does_not_reach_the_document(
    larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """On stdout is the one JSON document, whatever env.py and revisions print or log."""
    project = build(before="print('env speaks')")
    project.chain("print('revision speaks')")

    outcome = larp_process("db", "migrate", "-c", project.config, "--json")

    assert outcome.document["exit_code"] == 0
    assert "env speaks" in outcome.stderr
    assert "revision speaks" in outcome.stderr


def test_logging_is_ours_again_after_a_foreign_file_config(
    larp: Larp, build: Build, empty: str
) -> None:
    """A ``fileConfig`` in a foreign env.py replaces neither our handlers nor our format."""
    import logging

    project = build()
    project.chain("pass", "op.execute(\"DO $x$ BEGIN RAISE WARNING 'beware'; END $x$\")")
    ours = logging.getLogger("larp.database")

    outcome = larp("db", "migrate", "-c", project.config)

    assert outcome.exit_code == ExitCode.OK
    assert "warning: beware" in outcome.stderr
    assert not ours.disabled
    assert logging.getLogger().level == logging.WARNING
    formats = [handler.formatter._fmt for handler in logging.getLogger().handlers]  # type: ignore
    assert formats and not any("foreign" in str(text) for text in formats)
    assert logging.getLogger("alembic").level == logging.NOTSET


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
        stdout, stderr = process.communicate(timeout=20)

    assert process.returncode == code, stderr
    assert f'"exit_code": {int(code)}' in stdout
    assert "stopped in revision r2; committed before it in this run: r1" in stderr
    assert not running(empty, "pg_sleep(60)")
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
        process.communicate(timeout=20)

    again = larp_process(*arguments)

    assert again.exit_code == ExitCode.OK, again.stdout
    assert [item["revision"] for item in again.result["applied"]] == ["r2", "r3"]
    assert not running(empty, "pg_sleep(60)")


def test_a_signal_while_waiting_for_the_mutex_ends_the_waiting(
    larp_process: LarpProcess, empty: str
) -> None:
    """SIGTERM ends a migrator that only waits, and the database stays as it was."""
    with held_mutex(empty):
        with larp_process.start("db", "migrate", stderr=None, stdout=None) as process:
            until(lambda: _waiting(empty))
            process.terminate()
            process.wait(timeout=20)

    assert process.returncode == ExitCode.TERMINATED
    assert not has(empty, "larp_manager.alembic_version")


def test_timeout_bounds_the_whole_command(larp: Larp, slow: ForeignProject, empty: str) -> None:
    """The option ``--timeout`` cancels the statement on the server, and rolls the revision back."""
    arguments = ("db", "migrate", "-c", slow.config, "--json", "--timeout", "1.5")

    outcome = larp(*arguments, env={"SLOW": "60"})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "not finished within 1.5 s" in outcome.document["error"]["message"]
    assert not running(empty, "pg_sleep(60)")
    assert not has(empty, "second")


def _waiting(url: str) -> bool:
    statement = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'larp-migrate-mutex' AND datname = current_database()"
    )
    return bool(value(url, statement))
