"""``larp serve``: where it listens, and where it does not."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import until
from tests.processes import PATIENCE
from tests.servers import free_port
from tests.serving import QUICK, Running, Serve


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

    assert process.wait(timeout=PATIENCE) == 0


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
        stdout, _ = process.communicate(timeout=PATIENCE)

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
        process.communicate(timeout=PATIENCE)
    home = Path(os.environ["LARP_HOME"])

    assert process.returncode == 0
    assert not (home / "embedded" / "data" / "postmaster.pid").exists()
