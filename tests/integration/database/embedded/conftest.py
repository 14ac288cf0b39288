"""Homes, observers and other processes for the tests of the embedded server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from larp_cli.database.embedded import Cluster, EmbeddedServer
from larp_cli.observer import Silent

TENANT = Path(__file__).with_name("tenant.py")


class Listener(Silent):
    """An observer that remembers what it heard."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        """Remember the note."""
        self.notes.append(text)

    def warning(self, text: str) -> None:
        """Remember the warning."""
        self.warnings.append(text)


class Tenant:
    """Another process that leases the server until it is told to leave."""

    def __init__(self, home: Path, action: str, *account: int, **environment: str) -> None:
        inherited = {name: text for name, text in os.environ.items() if "COV" not in name}
        self.process = subprocess.Popen(
            [sys.executable, str(TENANT), str(home), action, *map(str, account)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=(inherited if account else os.environ.copy()) | environment,
        )
        self.lines: list[str] = []

    def hear(self, word: str) -> str:
        """Wait for the line that begins with ``word``; return its rest."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith(word):
                return line.removeprefix(word).strip()
        raise AssertionError(f"ended without {word!r}: {self.lines}")

    def leave(self) -> int:
        """Tell it to leave and wait for its end; return its exit status."""
        rest, _ = self.process.communicate("\n", timeout=60)
        self.lines += rest.splitlines()
        return self.process.returncode


@pytest.fixture
def listener() -> Listener:
    """Return an observer that remembers."""
    return Listener()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield a directory with a short path that every account can pass."""
    path = Path(tempfile.mkdtemp(prefix="larp-t-", dir="/tmp")).resolve()
    path.chmod(0o755)
    yield path
    for data in path.glob("**/data"):
        EmbeddedServer(data.parent.parent, Silent()).stop()
    shutil.rmtree(path)


@pytest.fixture
def home(directory: Path) -> Path:
    """Return a LARP_HOME that does not exist yet."""
    return directory / "home"


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """Yield a directory with data that was created once, to be copied."""
    path = Path(tempfile.mkdtemp(prefix="larp-t-", dir="/tmp")).resolve()
    path.chmod(0o755)
    Cluster(path / "embedded", settings={"fsync": "off"}).initialise()
    yield path / "embedded"
    shutil.rmtree(path)


@pytest.fixture
def seeded(home: Path, template: Path) -> Path:
    """Return a LARP_HOME whose data is there already."""
    home.mkdir(mode=0o755)
    subprocess.run(["cp", "-a", template, home / "embedded"], check=True)
    return home


@pytest.fixture
def server(home: Path, listener: Listener) -> EmbeddedServer:
    """Return the embedded server of ``home``."""
    return EmbeddedServer(home, listener, timeout=30)


@pytest.fixture
def tenant(home: Path) -> Iterator[Callable[..., Tenant]]:
    """Return what starts another process on ``home``; all of them are ended afterwards."""
    started: list[Tenant] = []

    def start(action: str = "lease", *account: int, **environment: str) -> Tenant:
        started.append(Tenant(home, action, *account, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        for pipe in (one.process.stdin, one.process.stdout):
            if pipe is not None:
                pipe.close()


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    """Poll until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.005)


def postgres_below(directory: Path) -> list[int]:
    """Return the pids of all processes that name ``directory`` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        text = " ".join(process.info["cmdline"] or ())
        if str(directory) in text and process.info["name"] in ("postgres", "initdb", "sh"):
            found.append(process.pid)
    return found
