"""SIGINT, SIGTERM and --timeout, as a real process meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading

import pytest

from larp_cli.cli import signals
from larp_cli.cli.signals import DeadlineSignal, TerminationSignal, signals_as_exceptions
from larp_cli.errors import ExitCode
from tests.conftest import LarpProcess
from tests.processes import PATIENCE

SIGNALS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Read the lines of stderr up to the one with the word: the command is then at work."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if word in line:
            return seen
    raise AssertionError(f"ended without {word!r}: {seen}")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_the_command_with_its_code(
    number: signal.Signals, larp_process: LarpProcess, dead_database: str
) -> None:
    """Whoever stops it finds the code that shells expect, and one line that says so."""
    with larp_process.start("db", "wait", env={"DATABASE_URL": dead_database}) as process:
        read_until(process, "waiting for ")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)

    assert process.returncode == SIGNALS[number]
    assert stdout == ""
    assert stderr.splitlines()[-1] == f"error: stopped by {number.name}"
    assert "Traceback" not in stderr


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_leaves_one_document_with_json(
    number: signal.Signals, larp_process: LarpProcess, dead_database: str
) -> None:
    """A program that reads stdout learns why it ended."""
    with larp_process.start("db", "wait", "--json", env={"DATABASE_URL": dead_database}) as process:
        read_until(process, "waiting for ")
        process.send_signal(number)
        stdout, _ = process.communicate(timeout=PATIENCE)

    document = json.loads(stdout)
    assert document["exit_code"] == process.returncode == SIGNALS[number]
    assert document["error"]["code"] == SIGNALS[number].name


def test_the_time_of_a_wait_ends_in_the_last_error(
    larp_process: LarpProcess, dead_database: str
) -> None:
    """`db wait` tells why the database is not there rather than that time is up."""
    outcome = larp_process("db", "wait", "--timeout", "0.3", env={"DATABASE_URL": dead_database})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "refused the connection" in outcome.stderr
    assert "hint: " in outcome.stderr


def test_the_timeout_ends_a_command_wherever_it_is(
    larp_process: LarpProcess, initialised: str
) -> None:
    """A psql that sleeps is cut off, and the error names the flag."""
    outcome = larp_process(
        "db",
        "shell",
        "--timeout",
        "2",
        "--",
        "-c",
        "SELECT pg_sleep(60)",
        env={"DATABASE_URL": initialised},
    )

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "error: not finished within 2 s" in outcome.stderr
    assert "hint: give it longer with --timeout SECONDS" in outcome.stderr


def test_the_deadline_is_raised_where_the_work_is() -> None:
    """The alarm interrupts a wait that would not end by itself."""
    with pytest.raises(DeadlineSignal), signals_as_exceptions(0.01):
        threading.Event().wait(60)


def test_a_signal_comes_again_where_its_answer_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is undone after a signal may wait for a server that does not answer."""
    monkeypatch.setattr(signals, "INSIST_AFTER", 0.05)

    with pytest.raises(TerminationSignal), signals_as_exceptions(None):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            threading.Event().wait(60)


def test_the_handlers_of_before_are_put_back() -> None:
    """A library that calls main() keeps its own signal handlers, and its own alarm."""
    before = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM))
    alarm_was_set = signal.getitimer(signal.ITIMER_REAL)[0] > 0

    with signals_as_exceptions(3600):
        assert signal.getsignal(signal.SIGTERM) is not before[0]
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 3000

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    assert (left > 0) is alarm_was_set
    assert left < 3000


def test_another_thread_runs_without_handlers() -> None:
    """Only the main thread may set them; elsewhere the work goes on without."""
    before = signal.getsignal(signal.SIGTERM)
    done = []

    def work() -> None:
        with signals_as_exceptions(3600):
            done.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)

    assert done == [True]
