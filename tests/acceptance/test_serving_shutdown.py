"""``larp serve`` comes to its end: by a signal, by two, under load, or in time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from tests.databases import until
from tests.processes import PATIENCE
from tests.serving import Serve


def test_sigterm_drains_and_ends_with_zero(serve: Serve, initialised: str) -> None:
    """Ready says no at once, the rest is still served, then the process ends."""
    running = serve(initialised, env={"SERVE_DRAIN_SECONDS": "3"})
    until(lambda: running.is_ready)
    running.process.send_signal(signal.SIGTERM)
    until(lambda: running.reason() == "draining")
    alive = running.ask("/health")

    assert alive.status == 200
    assert alive.headers["connection"] == "close"
    assert running.process.wait(timeout=PATIENCE) == 0


def test_a_second_signal_ends_at_once(serve: Serve, initialised: str) -> None:
    """However long the draining was to take."""
    running = serve(initialised, env={"SERVE_DRAIN_SECONDS": "600"})
    running.process.send_signal(signal.SIGTERM)
    until(lambda: running.reason() == "draining")
    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(timeout=PATIENCE) == 0


def test_a_server_goes_on_when_the_reader_of_its_address_is_gone(
    serve: Serve, initialised: str
) -> None:
    """It has nothing more to write to stdout, and others than that reader depend on it."""
    running = serve(initialised)
    assert running.process.stdout is not None
    running.process.stdout.close()

    checked = [running.ask("/health/db").said["checked_at"]]
    until(lambda: running.ask("/health/db").said["checked_at"] not in checked)

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=PATIENCE) == 0


def test_sigterm_under_load_fails_no_request(serve: Serve, initialised: str) -> None:
    """Whoever was let in is answered."""
    running = serve(initialised, env={"SERVE_DRAIN_SECONDS": "1"})
    until(lambda: running.is_ready)
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
    if done == 1:
        print("served", flush=True)
print(done)
"""
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(running.port)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    streams = [client.stdout for client in clients if client.stdout is not None]
    assert [stream.readline() for stream in streams] == ["served\n"] * 3
    running.process.send_signal(signal.SIGTERM)
    served = [int(stream.read()) for stream in streams]

    assert [client.wait(timeout=PATIENCE) for client in clients] == [0, 0, 0]
    for stream in streams:
        stream.close()
    assert min(served) > 1
    assert running.process.wait(timeout=PATIENCE) == 0


def test_the_end_of_its_life_does_not_cut_the_draining_short(
    serve: Serve, initialised: str
) -> None:
    """--timeout is no second signal."""
    running = serve(initialised, "--timeout", "3", env={"SERVE_DRAIN_SECONDS": "30"})
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

    assert running.process.wait(timeout=PATIENCE) == 0
