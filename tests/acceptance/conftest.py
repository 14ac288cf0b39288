"""Processes of ``larp serve`` that are ended with their test, and a reader of the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.readers import Reader, checkout, program
from tests.conftest import LarpProcess
from tests.databases import until
from tests.servers import Server, free_port
from tests.serving import QUICK, Running, Serve


@pytest.fixture
def serve(larp_process: LarpProcess) -> Serve:
    """Start servers on free ports; they are ended with the test."""

    def start(
        url: str, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Running:
        environment = {**QUICK, "DATABASE_URL": url, **(env or {})}
        line = ("serve", "--port", "0", "--json", *arguments)
        return Running.announced(larp_process.start(*line, env=environment, **options))

    return start


@pytest.fixture
def ready(serve: Serve, initialised: str) -> Running:
    """A server whose database is at head, and which has seen that."""
    running = serve(initialised)
    until(lambda: running.is_ready)
    return running


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in a checkout of their own, with larp on the PATH."""
    someone = Reader(checkout(tmp_path / "checkout"))
    programs = program(tmp_path / "bin")
    someone.environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    someone.environment |= {"SERVE_PORT": str(free_port()), "SERVE_DRAIN_SECONDS": "0"}
    yield someone
    someone.leave()


@pytest.fixture(scope="session")
def written(
    server: Server, template: str, server_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A checkout in which somebody did what the README shows, and the name of its database."""
    name = server.create(template)
    server.created.remove(name)  # it stays, to be cloned
    directory = tmp_path_factory.mktemp("written")
    environment = {
        "PATH": f"{program(directory / 'bin')}{os.pathsep}{os.environ['PATH']}",
        "LARP_HOME": str(server_directory / "written-home"),
        "DATABASE_URL": server.url(name),
    }
    someone = Reader(checkout(directory / "checkout"), environment)
    someone.write("README.md")
    someone.type("larp db revision -m 'Add players'\nlarp db migrate")
    return someone.directory, name


@pytest.fixture
def author(reader: Reader, server: Server, written: tuple[Path, str]) -> Reader:
    """A reader who has done what the README shows, on a database at head."""
    directory, database = written
    shutil.copytree(directory, reader.directory, dirs_exist_ok=True)
    reader.environment["DATABASE_URL"] = server.url(server.create(database))
    return reader
