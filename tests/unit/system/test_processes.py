"""Ending real processes, and finding programs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from larp_cli.system import processes
from larp_cli.system.processes import end_process_group, find_installed

STUBBORN = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""

WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start Python in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, process_group=0
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that the process writes."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_ends_at_the_first_signal_that_it_heeds() -> None:
    """SIGTERM is not sent to a process that SIGINT has ended."""
    with start("import time; print('ready', flush=True); time.sleep(600)") as process:
        line_of(process)
        end_process_group(process, signal.SIGINT, signal.SIGTERM)

    assert process.returncode == -signal.SIGINT


def test_a_process_that_ignores_every_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last grace period comes SIGKILL."""
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.05)

    with start(STUBBORN) as process:
        line_of(process)
        end_process_group(process, signal.SIGINT, signal.SIGTERM)

    assert process.returncode == -signal.SIGKILL


def test_the_children_of_a_process_end_with_it() -> None:
    """A child that ignores SIGTERM is killed although its parent ended at once."""
    with start(WITH_A_CHILD, STUBBORN) as process:
        child = psutil.Process(int(line_of(process)))
        end_process_group(process, signal.SIGTERM)

    child.wait(30)
    assert process.returncode == -signal.SIGTERM


def test_a_process_that_has_ended_is_left_alone() -> None:
    """Its id may belong to another process by now."""
    with start("") as process, start(STUBBORN) as bystander:
        line_of(bystander)
        process.wait()
        process.pid = bystander.pid
        end_process_group(process, signal.SIGKILL)

        with pytest.raises(subprocess.TimeoutExpired):
            bystander.wait(0.3)
        bystander.kill()


def test_a_program_beside_python_comes_before_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pip installed into the environment of larp is the version that fits."""
    for directory in (tmp_path / "venv", tmp_path / "path"):
        directory.mkdir()
        (directory / "squawk").write_text("#!/bin/sh\n")
        (directory / "squawk").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))

    assert find_installed("squawk") == tmp_path / "venv" / "squawk"
    (tmp_path / "venv" / "squawk").unlink()
    assert find_installed("squawk") == tmp_path / "path" / "squawk"
    (tmp_path / "path" / "squawk").unlink()
    assert find_installed("squawk") is None
