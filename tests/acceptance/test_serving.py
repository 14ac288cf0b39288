"""``larp serve`` as a process: what machines, operators and hostile clients see of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import SCHEMA, until, value
from tests.health import gate_to
from tests.servers import Server, free_port

QUICK = {"HEALTH_INTERVAL": "0.2", "HEALTH_DEADLINE": "0.5", "SERVE_DRAIN_SECONDS": "0"}
TOKEN = "Zp8vQ2mT7rW4xK9sL3nB6cD1fG5hJ0aE"


@dataclass(frozen=True)
class Answer:
    """One answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The body as JSON."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str
    port: int

    def ask(
        self, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str
    ) -> Answer:
        """Ask it once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, path, body=body, headers=named)
            response = connection.getresponse()
            given = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, given, response.read())
        finally:
            connection.close()

    def reason(self, path: str = "/health/ready") -> str | None:
        """Ask for the reason alone."""
        found: str | None = self.ask(path).said["reason"]
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; returns its exit code, and what it logged."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


type Serve = Callable[..., Running]


@pytest.fixture
def serve(larp_process: LarpProcess) -> Iterator[Serve]:
    """Start servers on free ports; they are ended with the test."""
    started: list[Running] = []

    def start(
        url: str, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Running:
        process = larp_process.start(
            "serve",
            "--port",
            "0",
            "--json",
            *arguments,
            env={**QUICK, "DATABASE_URL": url, **(env or {})},
            **options,
        )
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            text += line
        document = json.loads(text)
        assert document["exit_code"] == 0
        assert document["result"]["pid"] == process.pid
        address = document["result"]["url"]
        started.append(Running(process, address, int(address.rpartition(":")[2])))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.process.communicate()


@pytest.fixture
def ready(serve: Serve, initialised: str) -> Running:
    """A server whose database is at head, and which has seen that."""
    running = serve(initialised)
    until(lambda: running.ask("/health/ready").status == 200)
    return running


# --- what is said ------------------------------------------------------------------------


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
    from tests.projects import foreign_project, sql

    project = foreign_project(tmp_path / "theirs")
    project.chain(sql("CREATE TABLE one ()"), sql("CREATE TABLE two ()"))
    assert project.alembic("upgrade", "r1", url=initialised).returncode == 0
    running = serve(initialised, "-c", project.config)

    until(lambda: running.reason() == "schema_behind")
    assert project.alembic("upgrade", "head", url=initialised).returncode == 0
    until(lambda: running.ask("/health/ready").status == 200)


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
    until(lambda: running.ask("/health/ready").status == 200)
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


# --- how it is said ----------------------------------------------------------------------


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


def test_a_path_that_is_none_is_a_problem_document(ready: Running) -> None:
    """404 with the request's id, also in its header."""
    answer = ready.ask("/nowhere/", x_request_id="abc-123")

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


# --- the probe is not the outage -----------------------------------------------------------


def test_a_thousand_probes_cost_the_database_nothing(
    serve: Serve, initialised: str, server: Server
) -> None:
    """While they come, one session of ours is there, and makes no more statements than before."""
    running = serve(initialised, env={"HEALTH_INTERVAL": "1"})
    until(lambda: running.ask("/health/ready").status == 200)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'larp-health'"
    started = (
        "SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'larp-health'"
        " AND datname = current_database()"
    )
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    looks = set()
    began = time.monotonic()
    for number in range(1000):
        connection.request("GET", ("/health/db", "/health/ready")[number % 2])
        assert connection.getresponse().read()
        if number % 100 == 0:
            looks.add(value(initialised, started))
            own = f"{sessions} AND datname = current_database()"
            assert value(initialised, own) == 1
    took = time.monotonic() - began
    connection.close()

    assert len(looks) <= took + 2


def test_a_server_that_stops_answering_is_a_timeout_and_recovers(
    serve: Serve, initialised: str
) -> None:
    """/health stays well, /health/db fails within interval and deadline, all by itself."""
    with gate_to(initialised) as (gate, url):
        running = serve(url)
        until(lambda: running.ask("/health/db").status == 200)
        gate.close()
        began = time.monotonic()
        until(lambda: running.reason("/health/db") == "timeout")
        took = time.monotonic() - began
        assert running.ask("/health").status == 200
        gate.open()
        until(lambda: running.ask("/health/ready").status == 200)
        gate.close()

    assert took < 3


def test_a_session_that_hangs_is_a_failure(serve: Serve, initialised: str, server: Server) -> None:
    """A backend stopped with SIGSTOP is seen as a timeout, and replaced."""
    running = serve(initialised, env={"HEALTH_INTERVAL": "2"})
    until(lambda: running.ask("/health/ready").status == 200)
    pid = value(
        initialised,
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'larp-health'"
        " AND datname = current_database()",
    )
    if os.geteuid() != 0 and os.stat(f"/proc/{pid}").st_uid != os.geteuid():
        pytest.skip("the server runs as somebody else")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: running.reason("/health/db") == "timeout")
        until(lambda: running.ask("/health/ready").status == 200)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_slow_and_idle_clients_do_not_keep_probes_out(ready: Running) -> None:
    """Hundreds that send a byte now and then, or nothing, and a probe is answered at once."""
    with contextlib.ExitStack() as lines:
        for number in range(700):
            with contextlib.suppress(OSError):
                line = lines.enter_context(
                    socket.create_connection(("127.0.0.1", ready.port), timeout=10)
                )
                if number % 2:
                    line.sendall(b"GET /health HTTP/1.1\r\nHost: l")
        for _ in range(20):
            began = time.monotonic()
            assert ready.ask("/health").status == 200
            assert time.monotonic() - began < 2


def test_few_descriptors_are_shared_out_before_they_run_out(serve: Serve, initialised: str) -> None:
    """Where the process is granted little it keeps fewer connections, and still answers."""
    few = (256, 256)
    running = serve(initialised, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few))
    with contextlib.ExitStack() as lines:
        for _ in range(300):
            address = ("127.0.0.1", running.port)
            with contextlib.suppress(OSError):
                lines.enter_context(socket.create_connection(address, timeout=10))
        assert running.ask("/health").status == 200
    _, errors = running.end()

    assert "Traceback" not in errors


def test_a_client_that_asks_far_ahead_of_the_answers_is_hung_up_on(ready: Running) -> None:
    """Thousands of requests in one go are not kept for somebody who does not read."""
    with socket.create_connection(("127.0.0.1", ready.port), timeout=10) as line:
        line.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
        assert ready.ask("/health").status == 200
        received = 0
        with contextlib.suppress(ConnectionError):
            while data := line.recv(65536):
                received += len(data)

    assert received < 2000 * 1000


def test_a_client_that_never_ends_its_headers_is_hung_up_on(ready: Running) -> None:
    """The deadline is for all of them, however often a byte comes."""
    with socket.create_connection(("127.0.0.1", ready.port), timeout=20) as line:
        line.sendall(b"GET /health HTTP/1.1\r\n")
        began = time.monotonic()
        line.settimeout(0.2)
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 20:
                with contextlib.suppress(TimeoutError):
                    if line.recv(100) == b"":
                        break
                line.sendall(b"x")

        assert time.monotonic() - began < 10


# --- its end -----------------------------------------------------------------------------


def test_sigterm_drains_and_ends_with_zero(serve: Serve, initialised: str) -> None:
    """Ready says no at once, the rest is still served, then the process ends."""
    running = serve(initialised, env={"SERVE_DRAIN_SECONDS": "1.5"})
    until(lambda: running.ask("/health/ready").status == 200)
    running.process.send_signal(signal.SIGTERM)
    until(lambda: running.reason() == "draining")
    alive = running.ask("/health")

    assert alive.status == 200
    assert alive.headers["connection"] == "close"
    assert running.process.wait(timeout=10) == 0


def test_a_second_signal_ends_at_once(serve: Serve, initialised: str) -> None:
    """However long the draining was to take."""
    running = serve(initialised, env={"SERVE_DRAIN_SECONDS": "60"})
    running.process.send_signal(signal.SIGTERM)
    until(lambda: running.reason() == "draining")
    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(timeout=5) == 0


def test_sigterm_under_load_fails_no_request(serve: Serve, initialised: str) -> None:
    """Whoever was let in is answered."""
    running = serve(initialised, env={"SERVE_DRAIN_SECONDS": "1"})
    until(lambda: running.ask("/health/ready").status == 200)
    program = """
import http.client, sys
port, done, refused = int(sys.argv[1]), 0, 0
while not refused:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.connect()
    except ConnectionRefusedError:
        refused = 1
        continue
    connection.request("GET", "/health")
    assert connection.getresponse().read() == b'{"status":"pass"}'
    connection.close()
    done += 1
print(done)
"""
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(running.port)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    time.sleep(0.5)
    running.process.send_signal(signal.SIGTERM)
    served = [int(client.communicate(timeout=30)[0]) for client in clients]

    assert [client.returncode for client in clients] == [0, 0, 0]
    assert min(served) > 10
    assert running.process.wait(timeout=10) == 0


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


def test_the_end_of_its_life_does_not_cut_the_draining_short(
    serve: Serve, initialised: str
) -> None:
    """--timeout is no second signal."""
    running = serve(initialised, "--timeout", "3", env={"SERVE_DRAIN_SECONDS": "6"})
    running.process.send_signal(signal.SIGTERM)
    until(lambda: running.reason() == "draining")
    time.sleep(3)
    assert running.ask("/health").status == 200
    _, errors = running.end()

    assert "Traceback" not in errors
    assert running.process.returncode == 0


def test_timeout_ends_it_as_a_signal_would(serve: Serve, initialised: str) -> None:
    """--timeout bounds the whole command here too."""
    running = serve(initialised, "--timeout", "0.5")

    assert running.process.wait(timeout=15) == 0


# --- where it listens ----------------------------------------------------------------------


def test_a_port_in_use_is_a_configuration_error(
    larp_process: LarpProcess, initialised: str
) -> None:
    """It says which port, and how to take another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        outcome = larp_process("serve", "--port", port, "--json", env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert port in outcome.document["error"]["message"]
    assert "--port 0" in outcome.document["error"]["hint"]


def test_a_host_that_is_none_is_a_configuration_error(larp: Larp, initialised: str) -> None:
    """A name that does not resolve is told before anything is replaced."""
    outcome = larp("serve", "--host", "no.such.host.invalid", env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "no.such.host.invalid" in outcome.stderr


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_keeps_nobody_from_serving(initialised: str, closed: str) -> None:
    """A supervisor may close what it does not read."""
    port = free_port()
    command = f"exec {sys.executable} -m larp_cli serve --port {port} {closed}>&-"
    process = subprocess.Popen(
        ["sh", "-c", command],
        env={**os.environ, **QUICK, "DATABASE_URL": initialised},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        running = Running(process, "", port)  # type: ignore[arg-type]
        until(lambda: _answers(running))
    finally:
        process.terminate()

    assert process.wait(timeout=20) == 0


def _answers(running: Running) -> bool:
    with contextlib.suppress(OSError):
        return running.ask("/health").status == 200
    return False


def test_socket_goes_without_host_and_port(larp: Larp) -> None:
    """Both at once are a contradiction."""
    assert larp("serve", "--socket", "x", "--port", "1").exit_code == ExitCode.USAGE


def test_a_unix_socket_is_served_asked_and_removed(
    larp_process: LarpProcess, initialised: str, server_directory: Path
) -> None:
    """A stale one is replaced, one in use is not, and health --url asks through it."""
    path = server_directory / f"health-{free_port()}.sock"
    environment = {**QUICK, "DATABASE_URL": initialised}
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    process = larp_process.start("serve", "--socket", str(path), env=environment)
    try:
        until(lambda: larp_process("health", "--url", f"unix:{path}").exit_code == 0)
        second = larp_process("serve", "--socket", str(path), env=environment)
    finally:
        process.terminate()
        stdout, _ = process.communicate(timeout=20)

    assert stdout.strip() == f"serving on unix:{path}"
    assert second.exit_code == ExitCode.CONFIGURATION
    assert process.returncode == 0
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(
    larp: Larp, initialised: str, tmp_path: Path
) -> None:
    """Somebody's file is not a stale socket."""
    (tmp_path / "precious").write_text("mine")
    outcome = larp(
        "serve", "--socket", str(tmp_path / "precious"), env={"DATABASE_URL": initialised}
    )

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert (tmp_path / "precious").read_text() == "mine"


def test_ipv6_is_served(serve: Serve, initialised: str) -> None:
    """An IPv6 address is written in brackets, and answers."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    running = serve(initialised, "--host", "::1")
    assert running.url.startswith("http://[::1]:")
    with socket.create_connection(("::1", running.port), timeout=10) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
        assert line.recv(12) == b"HTTP/1.1 200"


def test_the_embedded_server_is_up_while_it_serves_and_stopped_after(
    larp_process: LarpProcess, larp: Larp
) -> None:
    """Development needs nothing but the command; who leaves last stops PostgreSQL."""
    assert larp_process("db", "init", "--quiet").exit_code == 0
    process = larp_process.start("serve", "--port", "0", env=QUICK)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        until(lambda: larp_process("health", "--url", url).exit_code == 0)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    home = Path(os.environ["LARP_HOME"])

    assert process.returncode == 0
    assert not (home / "embedded" / "data" / "postmaster.pid").exists()


# --- how small it is -------------------------------------------------------------------------


def test_what_the_command_line_needs_is_gone_from_the_serving_process(
    ready: Running,
) -> None:
    """None of the large libraries is in its memory, whatever was asked for."""
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/api/v1/status"):
        assert ready.ask(path).status == 200
    maps = Path(f"/proc/{ready.process.pid}/maps").read_text()

    assert "pydantic_core" not in maps
    assert "sqlalchemy" not in maps
    assert "python" in maps


def test_it_stays_under_fifty_megabytes(ready: Running) -> None:
    """Resident, connected, and after thousands of requests of each kind."""
    connection = http.client.HTTPConnection("127.0.0.1", ready.port, timeout=10)
    for number in range(6000):
        connection.request("GET", ("/health", "/health/db", "/health/ready")[number % 3])
        connection.getresponse().read()
    connection.close()
    status = Path(f"/proc/{ready.process.pid}/status").read_text()
    (resident,) = [line for line in status.splitlines() if line.startswith("VmRSS")]

    assert int(resident.split()[1]) < 50 * 1024, resident
