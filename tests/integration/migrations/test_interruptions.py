"""A signal in a revision that leaves its transaction: still a signal, and all is told."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from larp_cli.cli import signals
from larp_cli.errors import ExitCode
from larp_cli.migrations.run import lock_monitor
from tests.conftest import Larp, LarpProcess
from tests.databases import has, query, running, until
from tests.processes import PATIENCE, send_signals
from tests.projects import ForeignProject, foreign_project, sql

OUTSIDE = "with op.get_context().autocommit_block():\n    op.execute({statement!r})"
BUILD = "CREATE INDEX CONCURRENTLY people_name ON people (name)"


def project_of(directory: Path, *upgrades: str) -> ForeignProject:
    """Build a project of a table and these revisions."""
    project = foreign_project(directory / "theirs")
    project.chain(sql("CREATE TABLE people (name text)"), *upgrades)
    return project


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_an_index_is_built_is_a_signal(
    larp_process: LarpProcess, tmp_path: Path, database: str, number: signal.Signals
) -> None:
    """It ends in the signal's code, names the invalid index, and the next run builds it."""
    project = project_of(tmp_path, OUTSIDE.format(statement=BUILD))
    environment = {"DATABASE_URL": database}
    arguments = ("db", "migrate", "-c", project.config, "--json")
    with psycopg.connect(database) as reader:
        larp_process("db", "migrate", "r1", "-c", project.config, env=environment)
        reader.execute("LOCK TABLE people IN ROW EXCLUSIVE MODE")  # the build waits for it to end
        process = larp_process.start(*arguments, env=environment)
        until(lambda: running(database, BUILD))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == 128 + number, stderr
    assert "stopped in revision r2" in json.loads(stdout)["error"]["message"]
    history = larp_process("db", "history", "-c", project.config, "--json", env=environment)
    assert history.result["runs"][0]["outcome"] == "interrupted"
    until(lambda: not running(database, BUILD))
    again = larp_process(*arguments, env=environment)
    assert again.exit_code == ExitCode.OK, again.stdout
    assert has(database, "people_name")


def test_an_invalid_index_that_a_signal_leaves_is_named(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """Stopped between its two phases, a build leaves an index that is written and never read."""
    project = project_of(tmp_path, OUTSIDE.format(statement=BUILD))
    environment = {"DATABASE_URL": database}
    larp_process("db", "migrate", "r1", "-c", project.config, env=environment)
    with psycopg.connect(database) as writer:
        writer.execute("INSERT INTO people VALUES ('a')")
        process = larp_process.start("db", "migrate", "-c", project.config, env=environment)
        until(lambda: has(database, "people_name"))
        process.terminate()
        _, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.TERMINATED
    assert "left invalid, and rebuilt by the next run: public.people_name" in stderr


def test_the_deadline_while_an_index_is_built_is_a_deadline(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """The option ``--timeout`` ends in its own code, not in one that blames the revision."""
    project = project_of(tmp_path, OUTSIDE.format(statement=BUILD))
    environment = {"DATABASE_URL": database}
    larp("db", "migrate", "r1", "-c", project.config, env=environment)
    with psycopg.connect(database) as reader:
        reader.execute("LOCK TABLE people IN ROW EXCLUSIVE MODE")
        outcome = larp(
            "db", "migrate", "-c", project.config, "--json", "--timeout", "2", env=environment
        )

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "not finished within 2 s" in outcome.document["error"]["message"]


def test_what_an_interrupted_revision_has_committed_is_told(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """A part that is committed is a change, and the next run is warned of it."""
    steps = [
        sql("CREATE TABLE towns (name text)"),
        OUTSIDE.format(statement="CREATE INDEX CONCURRENTLY ON towns (name)"),
        sql("SELECT pg_sleep(60)"),
    ]
    project = project_of(tmp_path, "\n".join(steps))
    environment = {"DATABASE_URL": database}
    process = larp_process.start(
        "db", "migrate", "-c", project.config, "--json", env=environment
    )  # fmt: skip
    until(lambda: running(database, "pg_sleep(60)"))
    process.terminate()
    stdout, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.TERMINATED, stderr
    assert json.loads(stdout)["changed"] is True
    assert "committed before it in this run: r1, and parts of this one" in stderr
    assert has(database, "towns")


def test_a_locked_ledger_does_not_hold_up_the_end(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """Whoever stops a migration waits for it; that it was stopped is then not noted."""
    project = foreign_project(tmp_path / "theirs")
    project.chain(sql("SELECT pg_sleep(60)"))
    environment = {"DATABASE_URL": database}
    process = larp_process.start("db", "migrate", "-c", project.config, env=environment)
    until(lambda: running(database, "pg_sleep(60)"))
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE larp_bookkeeping.larp_ledger IN ACCESS EXCLUSIVE MODE")
        process.terminate()
        _, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.TERMINATED
    assert "the ledger could not be written: LockNotAvailable" in stderr


@dataclass
class Stopping:
    """Which sessions stop dead, by application, once a revision sleeps."""

    names: list[str] = field(default_factory=list)
    then: Callable[[], None] = lambda: None


@pytest.fixture
def stopping(database: str) -> Iterator[Stopping]:
    """Stop the sessions that the test names; they go on, and end, when it is over."""
    wanted = Stopping()
    pids: list[int] = []

    def stop() -> None:
        until(lambda: running(database, "pg_sleep(60)"))
        named = (
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = ANY (%s)"
        )
        for (pid,) in query(database, named, wanted.names):
            pids.append(pid)
            os.kill(pid, signal.SIGSTOP)
        wanted.then()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield wanted
    finally:
        thread.join()
        for pid in pids:  # one that stays stopped blocks DROP DATABASE on its whole server
            send_signals(pid, signal.SIGCONT, signal.SIGTERM)
    assert len(pids) == len(wanted.names)


def test_a_server_that_does_not_even_cancel_is_left(
    larp: Larp,
    tmp_path: Path,
    database: str,
    stopping: Stopping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end does not depend on a session that has stopped dead."""
    monkeypatch.setattr(signals, "INSIST_AFTER", 0.5)
    stopping.names = ["larp-migrate"]
    stopping.then = lambda: os.kill(os.getpid(), signal.SIGTERM)
    project = foreign_project(tmp_path / "theirs")
    project.chain(sql("SELECT pg_sleep(60)"))
    outcome = larp("db", "migrate", "-c", project.config, "--json", env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.TERMINATED
    assert "stopped in revision r1" in outcome.document["error"]["message"]


def test_a_server_that_stops_dead_is_noticed_without_a_signal(
    larp: Larp,
    tmp_path: Path,
    database: str,
    stopping: Stopping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither its own timeouts nor its kernel would ever end the waiting."""
    monkeypatch.setattr(lock_monitor, "LONGEST_SILENCE", 3.0)
    stopping.names = ["larp-migrate", "larp-migrate-mutex"]
    project = foreign_project(tmp_path / "theirs")
    project.chain(sql("SELECT pg_sleep(60)"))
    outcome = larp(
        "db", "migrate", "-c", project.config, "--json", env={"DATABASE_URL": database}
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "revision r1" in outcome.document["error"]["message"]
    assert "no answer from the server" in outcome.stderr
