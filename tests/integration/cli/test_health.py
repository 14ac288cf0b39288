"""``larp health``: one answer with its exit code, watching, and asking a server."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.health.checks import NAMES
from tests.conftest import Larp, LarpProcess
from tests.databases import SCHEMA, query
from tests.imports import imported_by
from tests.processes import PATIENCE
from tests.projects import foreign_project, sql


def test_a_healthy_database_is_a_table_of_passes(larp: Larp, initialised: str) -> None:
    """Every check has a line, and the exit code is 0."""
    outcome = larp("health", env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    names = [line.split("\t")[1] for line in outcome.stdout.splitlines()[1:]]
    assert names == list(NAMES)
    assert {line.split("\t")[0] for line in outcome.stdout.splitlines()[1:]} == {"pass"}


def test_the_document_holds_every_check(larp: Larp, initialised: str) -> None:
    """Status, reason, what was seen, seconds and hint, under stable names."""
    outcome = larp("health", "--json", env={"DATABASE_URL": initialised})

    assert outcome.document["changed"] is False
    assert outcome.result["status"] == "pass"
    assert set(outcome.result["checks"][0]) == {
        "name", "status", "reason", "observed", "seconds", "hint",
    }  # fmt: skip


def test_a_check_that_fails_ends_in_three_with_its_hint(larp: Larp, database: str) -> None:
    """The answer is no, and stdout says everything all the same."""
    outcome = larp("health", "--json", env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["status"] == "fail"
    assert outcome.document["error"]["hint"] == "larp db init"


def test_a_database_that_does_not_answer_ends_in_five(larp: Larp, dead_database: str) -> None:
    """The reason is told, and no password."""
    outcome = larp("health", "--json", env={"DATABASE_URL": dead_database})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert outcome.result["checks"][0]["reason"] == "refused"
    assert "sesame" not in outcome.stdout + outcome.stderr


def test_only_the_named_checks_are_told(larp: Larp, database: str) -> None:
    """--check may be repeated; what is not asked for cannot fail."""
    outcome = larp(
        "health", "--check", "version", "--check", "clock", env={"DATABASE_URL": database}
    )

    assert outcome.exit_code == ExitCode.OK
    assert [line.split("\t")[1] for line in outcome.stdout.splitlines()[1:]] == [
        "database", "version", "clock",
    ]  # fmt: skip


def test_a_check_that_is_none_is_a_usage_error(larp: Larp) -> None:
    """The names that there are stand in the message."""
    outcome = larp("health", "--check", "weather")

    assert outcome.exit_code == ExitCode.USAGE
    assert "database, version" in outcome.stderr


def test_a_doubtful_setting_is_a_warning(larp: Larp, initialised: str) -> None:
    """A misspelt name in .env is seen, and is no failure."""
    Path(".env").write_text("DATABASE_POOL_SIZ=3\n")
    outcome = larp(
        "health", "--json", "--check", "configuration", env={"DATABASE_URL": initialised}
    )

    (check,) = outcome.result["checks"]
    assert (check["status"], check["reason"]) == ("warn", "configuration")
    assert outcome.exit_code == ExitCode.OK


def test_a_foreign_project_is_looked_at_where_it_is(
    larp: Larp, database: str, tmp_path: Path
) -> None:
    """``-c`` makes its revisions and its version table the ones that count."""
    project = foreign_project(tmp_path / "theirs")
    project.chain(sql("CREATE TABLE one ()"), sql("CREATE TABLE two ()"))
    environment = {"DATABASE_URL": database}
    larp("db", "migrate", "r1", "-c", project.config, env=environment)
    behind = larp("health", "--json", "-c", project.config, env=environment)
    larp("db", "migrate", "-c", project.config, env=environment)
    ready = larp("health", "--json", "-c", project.config, env=environment)

    assert behind.exit_code == ExitCode.NEGATIVE
    assert behind.result["pending"] == ["r2"]
    assert ready.exit_code == ExitCode.OK, ready.stdout


UPDATE = """
op.execute('''
        CREATE TABLE {table} (revision int);
        UPDATE {table} SET
revision = 2
''')
"""
"""A revision whose SQL names a column ``revision``, at the beginning of a line."""


def test_sql_that_reads_like_an_assignment_leaves_the_database_healthy(
    larp: Larp, database: str, tmp_path: Path
) -> None:
    """A line ``revision = 2`` in an SQL string does not name a revision."""
    project = foreign_project(tmp_path / "theirs")
    environment = {"DATABASE_URL": database, "ALEMBIC_CONFIG": project.config}
    for name, below in (("r1", None), ("r2", "r1")):
        path = project.revision(name, UPDATE.format(table=name), after=below)
        path.write_text(path.read_text().replace("    revision = 2", "revision = 2"))
        migrated = larp("db", "migrate", env=environment)
        health = larp("health", "--json", env=environment)

        assert migrated.exit_code == ExitCode.OK, migrated.stderr
        assert health.exit_code == ExitCode.OK, health.stdout + health.stderr


@pytest.mark.parametrize("literal", ["'blue'", "'bl' + 'ue'"])
def test_a_stamp_includes_what_its_revision_depends_on(
    larp: Larp, database: str, tmp_path: Path, literal: str
) -> None:
    """Whether the files are read or have to be run, as Alembic does."""
    project = foreign_project(tmp_path / "theirs")
    project.revision("red", sql("CREATE TABLE red ()"))
    path = project.revision("blue", sql("CREATE TABLE blue ()"), depends_on="red")
    path.write_text(path.read_text().replace("revision = 'blue'", f"revision = {literal}"))
    environment = {"DATABASE_URL": database}
    larp("db", "migrate", "heads", "-c", project.config, env=environment)
    outcome = larp("health", "--json", "-c", project.config, env=environment)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["pending"] == []


# --- watching ----------------------------------------------------------------------------


def test_watching_writes_a_line_for_each_change(
    larp_process: LarpProcess, initialised: str
) -> None:
    """First every check, then only what came to something else."""
    process = larp_process.start(
        "health", "--watch", "--check", "revision",
        env={"DATABASE_URL": initialised, "HEALTH_INTERVAL": "0.2"},
    )  # fmt: skip
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(2)]
    query(initialised, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'newer'")
    change = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)

    assert [line.split()[1:3] for line in first] == [["pass", "database:"], ["pass", "revision:"]]
    assert "fail revision: at newer" in change
    assert process.returncode == ExitCode.INTERRUPTED


def test_watching_ends_by_its_timeout_with_what_was_last(
    larp_process: LarpProcess, database: str
) -> None:
    """A script may watch for a while."""
    outcome = larp_process(
        "health", "--watch", "--timeout", "0.5",
        env={"DATABASE_URL": database, "HEALTH_INTERVAL": "0.1"},
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert "fail schema" in outcome.stdout


def test_watching_is_for_people(larp: Larp, initialised: str) -> None:
    """A document is one; it cannot be watched."""
    outcome = larp("health", "--watch", "--json", env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.USAGE


# --- asking a server ---------------------------------------------------------------------


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """Run a server that says one thing; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode() or self.path.encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, '{"status": "pass", "age_seconds": 1.5, "checked_at": "2026-11-25T10:00:00Z"}', 0),
        (200, '{"status": "warn", "reason": "clock_skew"}', 0),
        (200, "not JSON at all", 0),
        (503, '{"status": "fail", "reason": "schema_behind"}', 3),
        (503, '{"status": "fail", "reason": "draining"}', 3),
        (503, '{"status": "fail", "reason": "refused"}', 5),
        (503, '{"status": "fail", "reason": "something new"}', 3),
        (404, "[]", 3),
        (302, "", 3),
    ],
)
def test_a_servers_answer_becomes_the_same_exit_codes(
    larp: Larp, status: int, body: str, code: int
) -> None:
    """200 is 0; a database that does not answer is 5; everything else is 3."""
    with answering(status, body) as url:
        outcome = larp("health", "--url", url, "--json")

    assert outcome.exit_code == code, outcome.stdout
    assert outcome.result["http_status"] == status


def test_without_a_path_it_is_asked_whether_it_is_ready(larp: Larp) -> None:
    """And with one, that."""
    with answering(404, "") as url:
        assert larp("health", "--url", f"{url}/", "--json").exit_code == ExitCode.NEGATIVE
    with answering(503, '{"reason": "timeout"}') as url:
        outcome = larp("health", "--url", f"{url}/health/db", "--json")
    assert outcome.exit_code == ExitCode.UNREACHABLE


def test_no_server_ends_in_five(larp: Larp) -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = larp("health", "--url", f"http://127.0.0.1:{port}")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "connection refused" in outcome.stderr


def test_a_server_that_says_nothing_ends_in_five_in_time(larp: Larp) -> None:
    """--timeout bounds the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outcome = larp("health", "--url", f"http://127.0.0.1:{port}", "--timeout", "0.3")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "took too long" in outcome.stderr


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nowhere",
        "ftp://x",
        "http://",
        "http://h:99999999",
        "http://a b",
        "http://a..b",
        "http://h/é",
    ],
)
def test_what_is_no_url_is_a_usage_error(larp: Larp, url: str) -> None:
    """It is told before anything is asked."""
    assert larp("health", "--url", url).exit_code == ExitCode.USAGE


def test_a_server_that_drips_its_answer_ends_in_five_in_time(larp: Larp) -> None:
    """A byte now and then is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def drip() -> None:
            with contextlib.suppress(OSError):
                line, _ = listener.accept()
                with line:
                    while True:
                        line.sendall(b"H")
                        time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        outcome = larp("health", "--url", f"http://127.0.0.1:{port}", "--timeout", "0.5")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert time.monotonic() - began < 30


def test_asking_a_server_excludes_what_looks_at_the_database(larp: Larp) -> None:
    """--url has nothing to check or to watch."""
    outcome = larp("health", "--url", "http://127.0.0.1:1", "--check", "clock")

    assert outcome.exit_code == ExitCode.USAGE


def test_asking_a_server_imports_no_database_library() -> None:
    """A container does it every few seconds."""
    code, modules = imported_by("health", "--url", "http://127.0.0.1:1")

    assert code == ExitCode.UNREACHABLE
    assert modules & {"alembic", "psycopg", "pydantic_settings", "rich", "sqlalchemy"} == set()


def test_the_answer_of_a_real_server_is_understood(
    larp_process: LarpProcess, initialised: str
) -> None:
    """What larp serve says, larp health --url reads."""
    process = larp_process.start(
        "serve", "--port", "0", "--json",
        env={"DATABASE_URL": initialised, "HEALTH_INTERVAL": "0.2", "SERVE_DRAIN_SECONDS": "0"},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        text += process.stdout.readline()
    url = json.loads(text)["result"]["url"]
    try:
        outcome = larp_process("health", "--url", url, "--json")
        while outcome.result["reason"] == "not_checked":
            outcome = larp_process("health", "--url", url, "--json")
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)

    assert outcome.exit_code == ExitCode.OK
    assert outcome.result["status"] == "pass"
    assert outcome.result["age_seconds"] >= 0
