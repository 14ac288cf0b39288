"""Stdout and stderr when their readers are gone, their disk is full, or nobody opened them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import LarpProcess

FULL = Path("/dev/full")

WRITERS = ["config template", "config check --json", "--help", "--version", "db migrate --help"]


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("line", WRITERS)
def test_a_closed_pipe_is_no_error(line: str, closed_pipe: int, larp_process: LarpProcess) -> None:
    """`larp … | head -1` has got what it wanted."""
    outcome = larp_process(*line.split(), stdout=closed_pipe)

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stderr == ""


def test_a_closed_pipe_does_not_hide_a_negative_answer(
    closed_pipe: int, larp_process: LarpProcess, database: str
) -> None:
    """The exit code is the same whether or not somebody reads to the end."""
    outcome = larp_process("db", "status", stdout=closed_pipe, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.NEGATIVE


def test_a_closed_pipe_on_stderr_does_not_stop_the_work(
    closed_pipe: int, larp_process: LarpProcess, database: str
) -> None:
    """Progress that nobody reads must not leave a database half migrated."""
    environment = {"DATABASE_URL": database}
    outcome = larp_process("db", "init", "--json", stderr=closed_pipe, env=environment)

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is True
    assert larp_process("db", "status", env=environment).exit_code == ExitCode.OK


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("line", WRITERS)
def test_a_full_disk_is_an_error_that_is_explained(line: str, larp_process: LarpProcess) -> None:
    """The result is lost, so it is no success; and it is no bug of ours either."""
    with FULL.open("w") as full:
        outcome = larp_process(*line.split(), stdout=full)

    assert outcome.exit_code == ExitCode.FAILURE
    assert "error: cannot write the result to stdout: No space left" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "bug" not in outcome.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_an_error_whose_document_cannot_be_written_is_on_stderr(larp_process: LarpProcess) -> None:
    """The exit code is that of the error, which nothing else would tell."""
    with FULL.open("w") as full:
        outcome = larp_process("--json", "frobnicate", stdout=full)

    assert outcome.exit_code == ExitCode.USAGE
    assert "error: No such command 'frobnicate'" in outcome.stderr
    assert "error: cannot write the result to stdout: No space left" in outcome.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_stderr_does_not_stop_the_work(
    larp_process: LarpProcess, database: str
) -> None:
    """A log that cannot grow is no reason to stop a migration."""
    with FULL.open("w") as full:
        outcome = larp_process("db", "init", stderr=full, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.OK


@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("line", ["config template", "--json frobnicate"])
def test_streams_that_were_never_open_are_no_bug(line: str, closing: str) -> None:
    """A service manager may start a command without stdout or stderr."""
    done = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' -m larp_cli {line} {closing}"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == (ExitCode.USAGE if "frob" in line else ExitCode.OK)
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output", ["human", "plain", "json"])
def test_an_encoding_that_lacks_a_letter_is_no_bug(output: str, larp_process: LarpProcess) -> None:
    """What the terminal's encoding cannot write is escaped."""
    environment = {"PYTHONIOENCODING": "ascii", "PROJECT_NAME": "Zürich"}
    outcome = larp_process("config", "show", "--output", output, env=environment)

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stdout.isascii()
    if output == "json":
        values = {item["name"]: item["value"] for item in outcome.result["settings"]}
        assert values["PROJECT_NAME"] == "Zürich"
    else:
        assert "Z\\xfcrich" in outcome.stdout


def test_python_dash_m_is_the_same_program(larp_process: LarpProcess) -> None:
    """`python -m larp_cli` and `larp` write the same."""
    script = Path(sys.executable).with_name("larp")
    by_script = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60)

    assert larp_process("--help").stdout == by_script.stdout
    assert by_script.stdout.startswith("Examples:\n  larp db init")
