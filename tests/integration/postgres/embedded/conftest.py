"""Homes and clusters for the tests of the embedded server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from larp_cli.observer import Silent
from larp_cli.postgres.embedded import Cluster, EmbeddedServer
from tests.integration.postgres.embedded.support import Listener, Tenant
from tests.processes import PATIENCE, end
from tests.servers import make_scratch_directory


@pytest.fixture
def listener() -> Listener:
    """Return an observer that remembers."""
    return Listener()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield a directory with a short path that every account can pass."""
    path = make_scratch_directory()
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
    path = make_scratch_directory()
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
    return EmbeddedServer(home, listener, timeout=PATIENCE)


@pytest.fixture
def tenant(home: Path) -> Iterator[Callable[..., Tenant]]:
    """Return what starts another process on ``home``; all of them are ended afterwards."""
    started: list[Tenant] = []

    def start(action: str = "lease", *account: int, **environment: str) -> Tenant:
        started.append(Tenant(home, action, *account, **environment))
        return started[-1]

    yield start
    for one in started:
        end(one.process)
