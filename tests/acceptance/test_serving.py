"""``larp serve`` as a process: what machines and operators are told, and how."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.databases import SCHEMA, until
from tests.processes import Process, end
from tests.projects import foreign_project, sql
from tests.servers import Server
from tests.serving import QUICK, Running, Serve

TOKEN = "Zp8vQ2mT7rW4xK9sL3nB6cD1fG5hJ0aE"


@pytest.fixture(scope="module")
def ready(server: Server, template: str, server_directory: Path) -> Iterator[Running]:
    """A server whose database is at head, and which the tests here only ask."""
    name = server.create(template)
    server.created.remove(name)  # it stays until the last of them is over
    environment = {
        **QUICK,
        "PATH": os.environ["PATH"],
        "LARP_HOME": str(server_directory / "serving"),
        "DATABASE_URL": server.url(name),
    }
    process = Process(
        [sys.executable, "-m", "larp_cli", "serve", "--port", "0", "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        running = Running.announced(process)
        until(lambda: running.is_ready)
        yield running
    finally:
        end(process)
        server.created.append(name)


# --- what is said ---------------------------------------------------------------------


def test_a_database_at_head_is_ready(ready: Running) -> None:
    """Each probe says 200 and pass, in health+json, not to be stored, with when it was seen."""
    for path in ("/health", "/health/db", "/health/ready"):
        answer = ready.ask(path)
        assert (answer.status, answer.said["status"]) == (200, "pass")
        assert answer.headers["content-type"] == "application/health+json"
        assert answer.headers["cache-control"] == "no-store"
        assert "retry-after" not in answer.headers
    seen = ready.ask("/health/db").said
    assert seen["checked_at"].endswith("Z")
    assert 0 <= seen["age_seconds"] < 2


def test_it_starts_without_a_database_and_is_ready_when_one_comes_up(
    serve: Serve, dead_database: str, initialised: str
) -> None:
    """A refused connection is told; when the way opens the server is ready by itself."""
    running = serve(dead_database)
    assert running.ask("/health").status == 200
    until(lambda: running.reason("/health/db") == "refused")
    answer = running.ask("/health/ready")

    assert (answer.status, answer.said["reason"]) == (503, "refused")
    assert int(answer.headers["retry-after"]) >= 1
    code, errors = running.end()
    assert code == ExitCode.OK
    assert "not ready: refused" in errors


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"DELETE FROM {SCHEMA}.alembic_version", "not_initialised"),
        (f"UPDATE {SCHEMA}.alembic_version SET version_num = 'newer'", "schema_ahead"),
        (f"DROP TABLE {SCHEMA}.alembic_version", "not_initialised"),
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", "read_only"),
    ],
)
def test_a_database_that_answers_and_is_not_fit_is_not_ready(
    serve: Serve, initialised: str, statement: str, reason: str
) -> None:
    """Each has its own reason, and /health/db stays well."""
    with psycopg.connect(initialised, autocommit=True) as connection:
        name = '"' + initialised.rpartition("/")[2] + '"'
        connection.execute(statement.replace("{name}", name))
    running = serve(initialised)

    until(lambda: running.reason() == reason)
    assert running.ask("/health/ready").status == 503
    assert running.ask("/health/db").status == 200


def test_a_database_one_revision_behind_is_not_ready(
    serve: Serve, initialised: str, tmp_path: Path
) -> None:
    """Code that is newer than the database finds it behind."""
    project = foreign_project(tmp_path / "theirs")
    project.chain(sql("CREATE TABLE one ()"), sql("CREATE TABLE two ()"))
    assert project.alembic("upgrade", "r1", url=initialised).returncode == 0
    running = serve(initialised, "-c", project.config)

    until(lambda: running.reason() == "schema_behind")
    assert project.alembic("upgrade", "head", url=initialised).returncode == 0
    until(lambda: running.is_ready)


def test_without_the_token_nothing_names_the_database(serve: Serve, dead_database: str) -> None:
    """No body holds host, user, database or the driver's words, whatever is asked."""
    running = serve(dead_database, env={"HEALTH_DETAILS_TOKEN": TOKEN})
    until(lambda: running.reason("/health/db") == "refused")
    for path in ("/health", "/health/db", "/health/ready", "/", "/metrics", "/api/v1/status", "/x"):
        text = running.ask(path, host="larp.example").body.decode()
        for word in ("sesame", "127.0.0.1", "larp:", "no server listens", "psycopg"):
            assert word not in text, path


def test_details_need_the_token_or_this_machine(serve: Serve, initialised: str) -> None:
    """Loopback is enough, unless somebody else stands behind the request."""
    running = serve(initialised, env={"HEALTH_DETAILS_TOKEN": TOKEN})
    until(lambda: running.is_ready)
    path = "/api/v1/status"
    local = running.ask(path)
    forwarded = running.ask(path, x_forwarded_for="203.0.113.7")
    rebound = running.ask(path, host="evil.example")
    wrong = running.ask(path, x_forwarded_for="203.0.113.7", authorization="Bearer nonsense")
    right = running.ask(path, x_forwarded_for="203.0.113.7", authorization=f"Bearer {TOKEN}")

    assert [local.status, forwarded.status, rebound.status] == [200, 401, 401]
    assert [wrong.status, right.status] == [401, 200]
    assert wrong.headers["www-authenticate"] == "Bearer"
    assert local.said["pending"] == []
    assert {check["status"] for check in right.said["checks"]} == {"pass"}


# --- how it is said -------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/health/db", "/health/ready", "/openapi.json", "/"])
def test_head_is_get_without_the_body(ready: Running, path: str) -> None:
    """The same headers, and nothing behind them."""
    got, head = ready.ask(path), ready.ask(path, "HEAD")

    assert head.status == got.status
    assert head.body == b""
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics", "/api/v1/status", "/"])
def test_any_other_method_is_answered_with_those_that_are_allowed(
    ready: Running, path: str, method: str
) -> None:
    """405, with Allow, as a problem document."""
    answer = ready.ask(path, method)

    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/nowhere/", "/docs/", "/health/ready/"])
def test_a_path_that_is_none_is_a_problem_document(ready: Running, path: str) -> None:
    """404 with the request's id, also in its header; a slash at the end redirects nowhere."""
    answer = ready.ask(path, x_request_id="abc-123")

    assert answer.status == 404
    assert answer.said["request_id"] == answer.headers["x-request-id"] == "abc-123"


def test_a_request_id_of_nonsense_is_replaced(ready: Running) -> None:
    """Nobody writes into our logs and headers what they like."""
    answer = ready.ask("/health", x_request_id="a b\tc" * 50)

    assert " " not in answer.headers["x-request-id"]
    assert len(answer.headers["x-request-id"]) == 16


def test_only_listed_origins_may_read(serve: Serve, initialised: str) -> None:
    """CORS is answered for those in CORS_ORIGINS, and for nobody else."""
    running = serve(initialised, env={"CORS_ORIGINS": "https://larp.example"})
    ours = running.ask("/health", origin="https://larp.example")
    theirs = running.ask("/health", origin="https://evil.example")
    preflight = running.ask(
        "/api/v1/status",
        "OPTIONS",
        origin="https://larp.example",
        access_control_request_method="GET",
        access_control_request_headers="authorization",
    )

    assert ours.headers["access-control-allow-origin"] == "https://larp.example"
    assert "access-control-allow-origin" not in theirs.headers
    assert preflight.status == 200


def test_a_large_body_is_refused_and_any_body_ends_the_connection(ready: Running) -> None:
    """Nothing waits for what nobody reads."""
    large = ready.ask("/health", "POST", body=b"x" * 100_000)
    small = ready.ask("/health", "POST", body=b"x")

    assert (large.status, small.status) == (413, 405)
    assert small.headers["connection"] == "close"


def test_probes_are_not_logged_and_other_requests_are(serve: Serve, initialised: str) -> None:
    """One JSON object a line, with method, path, status and the request's id."""
    running = serve(initialised, env={"LOG_FORMAT": "json"})
    running.ask("/health")
    running.ask("/openapi.json", x_request_id="find-me")
    code, errors = running.end()
    entries = [json.loads(line) for line in errors.splitlines()]

    assert code == 0
    assert not any(entry["message"].startswith("GET /health") for entry in entries)
    (entry,) = [entry for entry in entries if "/openapi.json" in entry["message"]]
    assert (entry["message"], entry["request_id"]) == ("GET /openapi.json 200", "find-me")


def test_a_path_cannot_forge_a_line_of_the_log(serve: Serve, initialised: str) -> None:
    """What a client sends stands escaped in the line of its request."""
    running = serve(initialised)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as line:
        line.sendall(
            b"GET /x%0aINFO%20forged%1b[31m HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        line.recv(100)
    _, errors = running.end()

    assert not [text for text in errors.splitlines() if text.startswith("INFO forged")]
    assert "\x1b" not in errors
    assert "GET /x%0aINFO" in errors
