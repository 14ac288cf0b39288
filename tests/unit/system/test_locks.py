"""Locks between real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from larp_cli.system.locks import LockHeld, SharedFileLock
from tests.processes import PATIENCE

HOLD = """
import sys, time
from pathlib import Path
from larp_cli.system.locks import SharedFileLock

lock = SharedFileLock(Path(sys.argv[1]))
getattr(lock, sys.argv[2])(time.monotonic())
print("held", flush=True)
sys.stdin.readline()
"""

KEEP_AFTER_EXEC = """
import os, sys, time
from pathlib import Path
from larp_cli.system.locks import SharedFileLock

lock = SharedFileLock(Path(sys.argv[1]))
lock.share(time.monotonic())
lock.inheritable()
os.execv("/bin/sh", ["sh", "-c", "echo held; read _line"])
"""


@contextmanager
def another_process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script until it says that it holds the lock; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lock is."""
    return tmp_path / "users.lock"


def test_several_processes_share_a_lock(path: Path) -> None:
    """Who wants it alone has to wait for all of them."""
    with another_process(HOLD, str(path), "share"), SharedFileLock(path) as lock:
        lock.share(time.monotonic())

        assert lock.held
        with SharedFileLock(path) as other:
            assert not other.try_exclude()


def test_a_lock_that_is_held_alone_is_refused_at_the_deadline(path: Path) -> None:
    """The error names the file."""
    with another_process(HOLD, str(path), "exclude"), SharedFileLock(path) as lock:
        began = time.monotonic()
        with pytest.raises(LockHeld, match=str(path)) as caught:
            lock.share(began + 0.1)

        assert caught.value.path == path
        assert time.monotonic() - began >= 0.1
        assert not lock.held


def test_a_lock_ends_with_a_killed_process(path: Path) -> None:
    """No lock stays behind after kill -9."""
    with another_process(HOLD, str(path), "exclude") as holder, SharedFileLock(path) as lock:
        assert not lock.try_exclude()
        holder.kill()
        holder.wait()

        assert lock.try_exclude()


def test_a_child_does_not_keep_the_lock(path: Path) -> None:
    """A server that larp starts does not hold the lock of the larp that started it."""
    lock = SharedFileLock(path)
    assert lock.try_exclude()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        lock.release()

        with SharedFileLock(path) as other:
            assert other.try_exclude()


def test_the_process_that_replaces_this_one_keeps_the_lock(path: Path) -> None:
    """The serving process goes on using the embedded server."""
    with another_process(KEEP_AFTER_EXEC, str(path)) as process, SharedFileLock(path) as lock:
        assert not lock.try_exclude()
        process.communicate("\n", timeout=PATIENCE)

        assert lock.try_exclude()


def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path: Path, path: Path) -> None:
    """Root would otherwise create a file wherever the account of the server wants it."""
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        SharedFileLock(path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_root_creates_a_lock_for_the_account_of_the_server(path: Path) -> None:
    """The account can lock it later without root."""
    with SharedFileLock(path, owner=(65534, 65534)):
        status = path.stat()

    assert (status.st_uid, status.st_gid) == (65534, 65534)
