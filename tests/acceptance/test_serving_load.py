"""``larp serve`` under load, beside hostile clients and a hanging database, and what it costs."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.databases import until, value
from tests.health import gate_to
from tests.processes import PATIENCE, send_signals
from tests.servers import Server
from tests.serving import Running, Serve

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="this system has no /proc"
)

# --- the probe is not the outage ------------------------------------------------------


def test_a_thousand_probes_cost_the_database_nothing(
    serve: Serve, initialised: str, server: Server
) -> None:
    """While they come, one session of ours is there, and makes no more statements than before."""
    running = serve(initialised, env={"HEALTH_INTERVAL": "1"})
    until(lambda: running.is_ready)
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
        until(lambda: running.is_ready)
        gate.close()

    assert took < 15


@needs_proc
def test_a_session_that_hangs_is_a_failure(serve: Serve, initialised: str, server: Server) -> None:
    """A backend stopped with SIGSTOP is seen as a timeout, and replaced."""
    running = serve(initialised, env={"HEALTH_INTERVAL": "2"})
    until(lambda: running.is_ready)
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
        until(lambda: running.is_ready)
    finally:
        send_signals(pid, signal.SIGCONT)


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
            assert time.monotonic() - began < PATIENCE


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
            while time.monotonic() - began < 2 * PATIENCE:
                with contextlib.suppress(TimeoutError):
                    if line.recv(100) == b"":
                        break
                line.sendall(b"x")

        assert time.monotonic() - began < PATIENCE


# --- how small it is ------------------------------------------------------------------


@needs_proc
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


@needs_proc
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
