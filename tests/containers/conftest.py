"""Real containers, on whatever Docker engine is reachable; skipped where none is."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import copy_repository
from tests.servers import free_port

ENGINE = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("DOCKER_", "BUILDKIT_", "COMPOSE_")) or name in ("HOME", "PATH")
}
"""The environment of the tests is empty; these say where the engine is."""

CONTEXT = (
    ".dockerignore", "Dockerfile", "docker-compose.yml", "docker-compose.prod.yml", "deploy",
    "alembic", "alembic.ini", "larp_cli", "pyproject.toml", "requirements.txt",
    "README.md", "CHANGELOG.md", "LICENSE",
)  # fmt: skip


_numbers = itertools.count(1)


@dataclass(frozen=True)
class Docker:
    """The command line of Docker, in a copy of the project."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``docker ARGUMENTS`` to its end."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=self.directory,
            env={**ENGINE, **self.environment},
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0 or not check, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the image once; options of Docker stand before ``larp-cli``."""
        return self("run", "--rm", *arguments, check=check)


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Docker:
    """Docker, with the project's images built."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    directory = tmp_path_factory.mktemp("project")
    copy_repository(CONTEXT, directory)
    engine = Docker(directory)
    if engine("version", check=False).returncode != 0:
        pytest.skip("no Docker engine is reachable")
    engine("build", "--tag", "larp-cli", ".")
    engine("build", "--tag", "larp-tools", "--target", "tools", ".")
    return engine


@dataclass(frozen=True)
class Composed:
    """Services that are up."""

    docker: Docker
    files: tuple[str, ...]

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose ARGUMENTS`` on them."""
        return self.docker("compose", *self.files, *arguments, check=check)

    def container(self, service: str) -> dict[str, object]:
        """Say how the first container of a service is."""
        listed = self("ps", "--all", "--format", "json", service).stdout
        found: dict[str, object] = json.loads(listed.splitlines()[0])
        return found

    def inspected(self, service: str) -> list[dict[str, Any]]:
        """Tell what the engine knows about each container of a service."""
        ids = self("ps", "--quiet", "--all", service).stdout.split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids).stdout)
        return found

    def tools(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of larp as an operator does."""
        return self("run", "--rm", "--no-TTY", "tools", *arguments)


type Compose = Callable[[str], Composed]


@pytest.fixture
def compose(docker: Docker) -> Iterator[Compose]:
    """Bring a compose file up, healthy; it is taken down with its volumes."""
    started: list[Composed] = []

    def up(file: str) -> Composed:
        ports = {"POSTGRES_PORT": str(free_port()), "SERVE_PORT": str(free_port())}
        ports["SERVE_PORTS"] = "{}-{}".format(*free_pair())
        project = f"larp-test-{os.getpid()}-{next(_numbers)}"
        engine = Docker(docker.directory, {**ports, "COMPOSE_PROJECT_NAME": project})
        started.append(Composed(engine, ("--file", file)))
        started[-1]("up", "--build", "--wait", "--detach")
        return started[-1]

    yield up
    for services in started:
        services("--profile", "tools", "down", "--volumes", "--timeout", "3", check=False)


def free_pair() -> tuple[int, int]:
    """Find two TCP ports in a row that nobody listens on."""
    while True:
        first = free_port()
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", first + 1))
            return first, first + 1


@pytest.fixture
def secrets(docker: Docker) -> Path:
    """The directory of the secrets, made with passwords that need care."""
    directory = docker.directory / "secrets"
    if not directory.exists():
        directory.mkdir()
        for name in ("larp_password", "larp_owner_password"):
            (directory / name).write_text(f"{name} p@ss/w:rd?\"'%41#\\&\n")
    make_secrets(docker)
    return directory


def make_secrets(docker: Docker) -> None:
    """Make what is missing of the secrets."""
    subprocess.run(["sh", "deploy/make-secrets.sh"], cwd=docker.directory, check=True)
