"""Processes of ``larp serve`` that are ended with their test, and a reader of the pages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.readers import Reader, checkout, program
from tests.conftest import LarpProcess
from tests.databases import until
from tests.servers import free_port
from tests.serving import QUICK, Running, Serve


@pytest.fixture
def serve(larp_process: LarpProcess) -> Iterator[Serve]:
    """Start servers on free ports; they are ended with the test."""
    started: list[Running] = []

    def start(
        url: str, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Running:
        process = larp_process.start(
            "serve",
            "--port",
            "0",
            "--json",
            *arguments,
            env={**QUICK, "DATABASE_URL": url, **(env or {})},
            **options,
        )
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            text += line
        document = json.loads(text)
        assert document["exit_code"] == 0
        assert document["result"]["pid"] == process.pid
        address = document["result"]["url"]
        started.append(Running(process, address, int(address.rpartition(":")[2])))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.process.communicate()


@pytest.fixture
def ready(serve: Serve, initialised: str) -> Running:
    """A server whose database is at head, and which has seen that."""
    running = serve(initialised)
    until(lambda: running.ask("/health/ready").status == 200)
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


@pytest.fixture
def author(reader: Reader, initialised: str) -> Reader:
    """A reader who has done what the README shows, on a database at head."""
    reader.environment["DATABASE_URL"] = initialised
    reader.write("README.md")
    reader.type("larp db revision -m 'Add players'\nlarp db migrate")
    return reader
