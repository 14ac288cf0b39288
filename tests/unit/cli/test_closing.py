"""What a signal says, and what it cannot do once the work is over."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from larp_cli import errors
from larp_cli.cli.context import Context
from larp_cli.cli.signals import TerminationSignal
from larp_cli.configuration import generate_secret
from larp_cli.errors import ExitCode
from larp_cli.observer import Silent
from larp_cli.postgres.embedded import EmbeddedServer
from tests.conftest import LarpProcess
from tests.processes import PATIENCE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_while_the_server_stops_changes_nothing(
    number: signal.Signals, larp_process: LarpProcess, larp_home: Path
) -> None:
    """The work is done: one document says so, and the embedded server is not left running."""
    server = EmbeddedServer(larp_home, Silent())

    with larp_process.start("db", "init", "--json") as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        assert any("using the embedded PostgreSQL" in line for line in lines)
        with server._control():  # taken as soon as it has started, needed for stopping it
            assert any("another larp to start or stop" in line for line in lines)
            process.send_signal(number)
            process.send_signal(number)
        stdout, _ = process.communicate(timeout=PATIENCE)

    assert json.loads(stdout)["exit_code"] == process.returncode == ExitCode.OK
    assert not server.status().running


def test_the_result_is_written_when_everything_is_closed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What fails while closing is told instead of the result, not after it."""
    larp = Context()

    def break_down() -> None:
        assert capsys.readouterr().out == ""
        raise errors.CommandFailed("cannot be closed")

    with (
        pytest.raises(errors.CommandFailed, match="cannot be closed"),
        larp.running(None, uses_database=False),
    ):
        larp._exits.callback(break_down)
        larp.answer(generate_secret())

    assert capsys.readouterr().out == ""


def test_the_deadline_does_not_count_while_closing(capsys: pytest.CaptureFixture[str]) -> None:
    """Time that runs out when the work is done takes nothing back."""
    larp = Context()

    with larp.running(60, uses_database=False):
        larp._exits.callback(os.kill, os.getpid(), signal.SIGALRM)
        larp.answer(generate_secret())

    assert larp.exit_code == ExitCode.OK
    assert capsys.readouterr().out != ""


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (KeyboardInterrupt, "stopped by SIGINT; committed before it: r1"),
        (TerminationSignal, "stopped by SIGTERM; committed before it: r1"),
    ],
)
@pytest.mark.parametrize("reminded", [False, True])
def test_the_error_says_how_far_the_work_got(
    kind: type[KeyboardInterrupt], message: str, reminded: bool
) -> None:
    """It stands in the error itself, which --quiet leaves, even if the signal is raised again."""

    def work() -> None:
        try:
            raise kind
        except KeyboardInterrupt as signal:
            raise errors.Stopped("committed before it: r1", changed=True) from signal

    with (
        pytest.raises(errors.LarpError) as caught,
        Context().running(None, uses_database=False),
    ):
        try:
            work()
        finally:
            if reminded:
                raise kind

    assert caught.value.message == message
    assert caught.value.changed
