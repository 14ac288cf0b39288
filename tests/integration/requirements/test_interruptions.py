"""Ctrl-C, kill -9 and disk errors at every step leave both files old or both new."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from larp_cli.errors import ExitCode
from larp_cli.requirements.backups import Backups
from tests.conftest import Larp, LarpProcess
from tests.databases import until
from tests.processes import PATIENCE, send_signals
from tests.requirements import LOCKED, Index, LockableProject, serving

PROGRAM = '''
"""Run a rollback once for each step it takes on the disk, and interrupt it there."""
import errno, json, os, shutil, signal, sys
from pathlib import Path
from larp_cli.cli.main import main
from larp_cli.observer import Silent
from larp_cli.requirements import backups, check, compiler, pair, project_lock, publish, update
from larp_cli.requirements.project import read_project

kind, pristine, root = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
home = Path(os.environ["LARP_HOME"])
saved_home = home.with_name("saved home")
os.chdir(root)


def run(step):
    steps = 0

    def happens(name):
        nonlocal steps
        steps += 1
        if steps == step and kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if steps == step and kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "failure" and steps == step:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if kind == "full" and steps >= step and name in ("write", "fsync"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def watch(event, arguments):
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            return
        place = str(arguments[0])
        if not place.startswith((str(root), str(home))):
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        happens("write" if writes else event)

    fsync = os.fsync
    os.fsync = lambda descriptor: (happens("fsync"), fsync(descriptor))
    sys.addaudithook(watch)
    try:
        code = main(["requirements", "rollback", "--quiet", "--json"])
    except BaseException as error:
        code = 99
    return 200 if steps < step else code


def in_child(function):
    pid = os.fork()
    if pid == 0:
        code = 98
        try:
            code = function()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def next_run():
    project = read_project(root)
    with project_lock.lock_project(project, Silent()):
        return 0


def state():
    names = ("requirements.txt", "requirements-dev.txt")
    return [(root / name).read_text()[-5:-1] for name in names]


shutil.copytree(home, saved_home)
out = os.dup(1)
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
os.dup2(null, 2)
main(["requirements", "rollback"])  # what it imports is imported once
step = 0
while True:
    step += 1
    for place, saved in ((root, pristine), (home, saved_home)):
        for path in place.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(saved, place, dirs_exist_ok=True)
    code = in_child(lambda: run(step))
    at_once = state()
    afterwards = in_child(next_run)
    left = sorted(path.name for path in root.iterdir())
    outcome = [step, code, at_once, afterwards, state(), left]
    os.write(out, (json.dumps(outcome) + "\\n").encode())
    if code == 200:
        break
'''
OLD, NEW = ["=8.1", "=8.1"], ["=8.3", "=8.3"]


def steps(project: LockableProject, larp_home: Path, kind: str) -> list[list[object]]:
    """Interrupt a rollback at each step in turn, and return the outcomes."""
    project.wants("click").locked(["click==8.1"], ["click==8.1"])
    pristine = project.root.with_name(f"{project.root.name}-pristine")
    pristine.mkdir()
    for name in LOCKED:
        (pristine / name).write_text(project.text(name))
    new = {name: project.text(name).replace("8.1", "8.3") for name in LOCKED}
    Backups(lambda: larp_home, project.root).save(new)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, str(pristine), str(project.root)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=100,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("kill", {-signal.SIGKILL}),
        ("interrupt", {0, ExitCode.INTERRUPTED}),
        ("failure", {0, ExitCode.FAILURE, ExitCode.CONFIGURATION}),
        ("full", {0, ExitCode.FAILURE, ExitCode.CONFIGURATION}),
    ],
)
def test_the_files_stay_a_pair_wherever_a_rollback_is_interrupted(
    project: LockableProject, larp_home: Path, kind: str, codes: set[int]
) -> None:
    """Both files are old or both are new; after kill -9, from the next run on."""
    outcomes = steps(project, larp_home, kind)

    assert len(outcomes) > 20
    assert outcomes[-1][1:] == [200, NEW, 0, NEW, sorted(LOCKED)]
    for step, code, at_once, afterwards, later, left in outcomes[:-1]:
        assert code in codes, (step, code)
        assert afterwards == 0, step
        assert later in (OLD, NEW), step
        assert left == sorted(LOCKED), step
        if kind != "kill":
            assert at_once in (OLD, NEW), step
    seen = [later for _, _, _, _, later, _ in outcomes]
    assert OLD in seen
    if kind == "kill":
        assert any(at_once not in (OLD, NEW) for _, _, at_once, _, _, _ in outcomes)


@pytest.fixture
def index(wheels: Path) -> Iterator[Index]:
    """An index that does not answer yet."""
    with serving(wheels) as running:
        running.answers.clear()
        yield running


def waiting_at(index: Index) -> dict[str, str]:
    """Point pip at the index."""
    return {
        "PIP_NO_INDEX": "0",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": f"http://127.0.0.1:{index.port}/simple",
    }


@pytest.mark.usefixtures("resolving")
@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, "stopped by SIGINT; the lock files are unchanged"),
        (signal.SIGTERM, ExitCode.TERMINATED, "stopped by SIGTERM; the lock files are"),
    ],
)
def test_a_signal_ends_the_resolver_too(
    larp_process: LarpProcess,
    project: LockableProject,
    index: Index,
    number: int,
    code: ExitCode,
    message: str,
) -> None:
    """No process or temporary file is left, and the lock files are unchanged."""
    project.wants("click").locked(["click==8.1"], ["click==8.1"])
    before = project.main, project.dev
    with larp_process.start("requirements", "update", "--upgrade", env=waiting_at(index)) as larp:
        assert index.is_asked.wait(PATIENCE)
        children = psutil.Process(larp.pid).children(recursive=True)
        larp.send_signal(number)
        _, stderr = larp.communicate(timeout=PATIENCE)

    assert larp.returncode == code
    assert message in stderr
    assert children
    until(lambda: not any(child.is_running() for child in children))
    assert (project.main, project.dev) == before
    assert project.names() == LOCKED


@pytest.mark.usefixtures("resolving")
def test_the_next_update_cleans_up_after_kill_9(
    larp: Larp, larp_process: LarpProcess, project: LockableProject, index: Index
) -> None:
    """The next run removes the directory and the lock of a killed one."""
    project.wants("click").locked(["click==8.1"], ["click==8.1"])
    before = project.main, project.dev
    with larp_process.start("requirements", "update", "--upgrade", env=waiting_at(index)) as killed:
        assert index.is_asked.wait(PATIENCE)
        children = psutil.Process(killed.pid).children(recursive=True)
        killed.kill()
        killed.communicate(timeout=PATIENCE)
    left = project.names() - LOCKED
    for child in children:
        send_signals(child.pid, signal.SIGKILL)

    outcome = larp("requirements", "update")

    assert len(left) == 2
    assert before == (project.main, project.dev) or outcome.exit_code == ExitCode.OK
    assert outcome.exit_code == ExitCode.OK
    assert project.names() == LOCKED


@pytest.mark.usefixtures("resolving")
def test_of_two_updates_the_second_is_rejected(
    larp: Larp, larp_process: LarpProcess, project: LockableProject, index: Index
) -> None:
    """The second exits with 7 at once and the first goes on; a dry run needs no lock."""
    project.wants("click")
    with larp_process.start("requirements", "update", env=waiting_at(index)) as first:
        assert index.is_asked.wait(PATIENCE)
        second = larp("requirements", "update")
        third = larp("requirements", "rollback")
        dry = larp("requirements", "update", "--dry-run")
        index.answers.set()
        first.communicate(timeout=PATIENCE)

    assert second.exit_code == third.exit_code == ExitCode.LOCKED
    assert "another update is running" in second.stderr
    assert dry.exit_code == ExitCode.OK
    assert first.returncode == ExitCode.OK
    assert "click==8.3 " in project.main
    assert project.names() == LOCKED
    assert os.path.exists(project.root / "requirements.txt")
