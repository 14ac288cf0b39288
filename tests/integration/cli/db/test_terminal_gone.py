"""Terminals that are closed while a command goes on, as when a connection breaks under nohup."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pexpect

from larp_cli.errors import ExitCode
from tests.databases import has, until
from tests.integration.cli.db.conftest import Build, Use

WAIT = """
import pathlib, time
pathlib.Path({started!r}).touch()
while not pathlib.Path({released!r}).exists():
    time.sleep(0.01)
"""


def start_at_terminal(*words: str, redirection: str = "") -> pexpect.spawn[str]:
    """Start larp at a terminal, deaf to SIGHUP."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    return pexpect.spawn(
        "sh",
        ["-c", f'trap "" HUP; exec "$@" {redirection}', "sh"]
        + [sys.executable, "-m", "larp_cli", *words],
        env={**environment, "TERM": "xterm-256color"},
        encoding="utf-8",
        timeout=60,
    )


def wait_for_end(child: pexpect.spawn[str]) -> int:
    """Return the exit code of a process whose terminal is gone."""
    _, status = os.waitpid(child.pid, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_terminal_that_is_gone_does_not_stop_a_migration(
    build: Build, empty: str, tmp_path: Path
) -> None:
    """Progress that cannot be drawn is no failure: every revision is applied."""
    started, released, result = (tmp_path / name for name in ("started", "released", "result"))
    project = build()
    project.chain(
        WAIT.format(started=str(started), released=str(released)),
        'op.execute("CREATE TABLE later ()")',
    )
    words = ("db", "migrate", "--json", "-c", project.config)
    child = start_at_terminal(*words, redirection=f">{result}")
    until(started.exists)
    os.close(child.child_fd)
    released.touch()

    assert wait_for_end(child) == ExitCode.OK, result.read_text()
    assert json.loads(result.read_text())["result"]["after"] == ["r2"]
    assert has(empty, "later")


def test_watching_ends_when_the_terminal_is_gone(initialised: str, use: Use) -> None:
    """Nobody sees the table any more."""
    use(initialised)
    child = start_at_terminal("health", "--watch")
    child.expect("Ctrl-C")
    os.close(child.child_fd)

    assert wait_for_end(child) == ExitCode.OK
