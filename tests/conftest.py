"""What all tests share: the command line, real servers, and an environment of their own."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from larp_cli.cli.main import main
from tests import servers
from tests.processes import PATIENCE, Process, end
from tests.servers import Server

# In the background of a script it is ignored, and so it would be in every process of ours.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "CI", "VIRTUAL_ENV")
KEPT_PREFIXES = ("COV", "PYTEST", "LARP_TEST_")


@dataclass(frozen=True)
class Outcome:
    """What one command line came to."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document, which is all that stands on stdout."""
        parsed: dict[str, Any] = json.loads(self.stdout)
        return parsed

    @property
    def result(self) -> dict[str, Any]:
        """The result within the document."""
        inner: dict[str, Any] = self.document["result"]
        return inner


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, larp_home: Path) -> Iterator[None]:
    """Give each test an empty directory and an environment without a trace of ours."""
    for name in os.environ:
        if name not in KEPT and not name.startswith(KEPT_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LARP_HOME", str(larp_home))
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Directory below which servers run.

    Not below pytest's own: as root another session of pytest would close that one to the
    account of our servers.
    """
    directory = servers.make_scratch_directory()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_database_stays() -> Iterator[None]:
    """Drop the databases that a test has made: hundreds of them would fill the disk."""
    yield
    for server in Server.running:
        server.drop_created()


@pytest.fixture
def larp_home(server_directory: Path) -> Iterator[Path]:
    """A LARP_HOME that does not exist yet."""
    directory = Path(tempfile.mkdtemp(dir=server_directory, prefix="home-"))
    yield directory / "larp home"
    shutil.rmtree(directory, ignore_errors=True)


class Larp:
    """Runs command lines through the real edge, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Outcome:
        """Run ``larp ARGUMENTS`` with ``env`` added to the environment."""
        self._capsys.readouterr()
        with self._monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            exit_code = main(arguments)
        captured = self._capsys.readouterr()
        return Outcome(exit_code, captured.out, captured.err)


@pytest.fixture
def larp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Larp:
    """The command line, without a process of its own."""
    return Larp(monkeypatch, capsys)


@dataclass(frozen=True)
class LarpProcess:
    """Starts ``python -m larp_cli`` as a process of its own."""

    started: list[Process] = field(default_factory=list)

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Process:
        """Start it, with pipes unless ``options`` say otherwise."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = Process(
            [sys.executable, "-m", "larp_cli", *arguments],
            env={**os.environ, **(env or {})},
            text=True,
            **{**pipes, **options},
        )
        self.started.append(process)
        return process

    def __call__(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Outcome:
        """Run it to its end."""
        with self.start(*arguments, env=env, **options) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        return Outcome(process.returncode, stdout, stderr)


@pytest.fixture
def larp_process() -> Iterator[LarpProcess]:
    """The command line as a real process; what still runs after the test is killed."""
    processes = LarpProcess()
    yield processes
    for process in processes.started:
        end(process)


def _session_server(major: int) -> Any:
    @pytest.fixture(scope="session", name=f"postgresql_{major}")
    def server(server_directory: Path) -> Iterator[Server]:
        with servers.started(major, server_directory / f"postgresql-{major}") as running:
            yield running

    return server


postgresql_18 = _session_server(18)
postgresql_16 = _session_server(16)
postgresql_15 = _session_server(15)


@pytest.fixture(scope="session")
def postgresql_external() -> Iterator[Server]:
    """The server that LARP_TEST_DATABASE_URL names."""
    url = os.environ.get("LARP_TEST_DATABASE_URL")
    if not url:
        pytest.skip("LARP_TEST_DATABASE_URL names no other server")
    with servers.external(url) as server:
        yield server


@pytest.fixture(scope="session")
def server(postgresql_18: Server) -> Server:
    """The server on which most tests run."""
    return postgresql_18


@pytest.fixture(params=["18", "16", "15", "external"])
def every_server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(f"postgresql_{request.param}")
    return found


@pytest.fixture
def database(server: Server) -> str:
    """URL of a fresh and empty database."""
    return server.url(server.create())


@pytest.fixture
def missing_database(server: Server) -> str:
    """URL of a database that is not there; it may be created."""
    return server.url(server.new_name())


@pytest.fixture(scope="session")
def template(server: Server, server_directory: Path) -> str:
    """Name of a database at head, to be cloned."""
    name = server.create()
    server.created.remove(name)  # it stays
    subprocess.run(
        [sys.executable, "-m", "larp_cli", "db", "init", "--quiet"],
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": server.url(name),
            "LARP_HOME": str(server_directory / "template-home"),
        },
        check=True,
        timeout=60,
    )
    return name


@pytest.fixture
def initialised(server: Server, template: str) -> str:
    """URL of a database at head."""
    return server.url(server.create(template))


@pytest.fixture
def dead_database() -> str:
    """URL where nobody listens, with a password that must not be seen."""
    return f"postgresql://larp:sesame@127.0.0.1:{servers.free_port()}/larp"
