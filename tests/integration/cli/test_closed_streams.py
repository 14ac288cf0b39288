"""Commands whose standard streams are closed, full, or not read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.processes import PATIENCE

FULL = Path("/dev/full")


def start_closed(closing: str, *arguments: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start ``larp ARGUMENTS`` from a shell that closes some of its streams."""
    return subprocess.Popen(
        ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-m", "larp_cli", *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


every_closing = pytest.mark.parametrize(
    "closing", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"]
)


@every_closing
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
def test_no_connection_takes_the_place_of_a_closed_stream(closing: str) -> None:
    """Descriptors 0, 1 and 2 are streams, so a socket gets a higher number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"postgresql://larp@127.0.0.1:{listener.getsockname()[1]}/larp"
        with start_closed(closing, "db", "wait", env={"DATABASE_URL": url}) as process:
            listener.settimeout(60)
            connection, _ = listener.accept()
            with connection:
                descriptors = Path(f"/proc/{process.pid}/fd")
                opened = {int(item.name): os.readlink(item) for item in descriptors.iterdir()}
                process.terminate()
            process.communicate(timeout=PATIENCE)

    sockets = [number for number, name in opened.items() if name.startswith("socket:")]
    assert sockets
    assert min(sockets) > 2


@every_closing
def test_a_reset_with_closed_streams_rebuilds_the_schema(
    closing: str, larp: Larp, initialised: str
) -> None:
    """What is written to a closed stream does not reach the database's socket."""
    environment = {"DATABASE_URL": initialised}

    with start_closed(closing, "db", "reset", "--yes", "--no-backup", env=environment) as process:
        _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.OK, errors
    assert larp("db", "status", env=environment).exit_code == ExitCode.OK


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_server_whose_log_is_full_ends_with_zero(
    larp_process: LarpProcess, initialised: str
) -> None:
    """The end of the process, where Python flushes its streams once more, is no failure."""
    environment = {"DATABASE_URL": initialised, "SERVE_DRAIN_SECONDS": "0"}
    with FULL.open("w") as full:
        process = larp_process.start("serve", "--port", "0", env=environment, stderr=full)
    with process:
        assert process.stdout is not None
        assert "http://" in process.stdout.readline()
        process.terminate()

        assert process.wait(timeout=PATIENCE) == ExitCode.OK


# --- readers that leave -------------------------------------------------------------


def test_watching_ends_when_the_reader_is_gone(larp_process: LarpProcess, initialised: str) -> None:
    """`larp health --watch | head -1` ends although nothing changes any more."""
    environment = {"DATABASE_URL": initialised, "HEALTH_INTERVAL": "3600"}
    with larp_process.start("health", "--watch", env=environment) as process:
        assert process.stdout is not None
        assert " pass database: " in process.stdout.readline()
        process.stdout.close()

        assert process.wait(timeout=PATIENCE) == ExitCode.OK


def test_watching_ends_when_the_reader_left_before_the_first_line(
    larp_process: LarpProcess, initialised: str, closed_pipe: int
) -> None:
    """The lines that could not be written are no failure."""
    environment = {"DATABASE_URL": initialised, "HEALTH_INTERVAL": "3600"}

    outcome = larp_process("health", "--watch", env=environment, stdout=closed_pipe)

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stderr == ""


def test_watching_goes_on_where_a_file_gets_the_lines(
    larp_process: LarpProcess, initialised: str, tmp_path: Path
) -> None:
    """A file has no reader that could leave."""
    environment = {"DATABASE_URL": initialised, "HEALTH_INTERVAL": "0.05"}
    began = time.monotonic()

    with (tmp_path / "lines").open("w") as file:
        outcome = larp_process("health", "--watch", "--timeout", "1", env=environment, stdout=file)

    assert outcome.exit_code == ExitCode.OK
    assert time.monotonic() > began + 1
    assert "pass" in (tmp_path / "lines").read_text()


def test_waiting_ends_when_the_reader_is_gone(
    larp_process: LarpProcess, dead_database: str
) -> None:
    """Nobody is left to hear that the database answers; it has not, so the code is 5."""
    environment = {"DATABASE_URL": dead_database}
    with larp_process.start("db", "wait", "--timeout", "3600", env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        assert any("waiting for the database: " in line for line in process.stderr)
        process.stdout.close()

        assert process.wait(timeout=PATIENCE) == ExitCode.UNREACHABLE
        assert "error: " in process.stderr.read()
