"""The image: small, without privileges, and content with what a careful cluster grants."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from larp_cli import __version__
from tests.containers.conftest import ENGINE, Docker
from tests.databases import until
from tests.processes import PATIENCE
from tests.servers import free_port

pytestmark = pytest.mark.timeout(600)

CAREFUL = (
    "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--memory", "64m", "--user", "54321:54321", "--network", "none",
)  # fmt: skip


def test_it_runs_as_anybody_with_nothing_to_write_to(docker: Docker) -> None:
    """A read-only root, no capability, 64 MB, and a uid that no file knows."""
    assert docker.run(*CAREFUL, "larp-cli", "--version").stdout.startswith("larp ")
    health = docker.run(
        *CAREFUL, "-e", "ENVIRONMENT=development",
        "-e", "DATABASE_URL=postgresql://x@127.0.0.1:1/x",
        "larp-cli", "health", check=False,
    )  # fmt: skip
    assert health.returncode == 5
    assert "refused" in health.stdout


def test_its_own_account_is_not_root_and_owns_nothing(docker: Docker) -> None:
    """What it runs it cannot change."""
    script = "id -u; test -w /opt/larp && echo writable; find / -xdev -user 10001 2>/dev/null"
    told = docker.run("--entrypoint", "sh", "larp-cli", "-c", script, check=False).stdout

    assert told.split() == ["10001"]


def test_nothing_is_in_it_that_is_not_needed(docker: Docker) -> None:
    """No compiler and no downloader waits for an intruder, and no database's programs."""
    found = docker.run(
        "--entrypoint", "sh", "larp-cli", "-c",
        "command -v gcc cc curl wget git make psql; ls -d /opt/larp/include /src /root/.cache",
        check=False,
    )  # fmt: skip

    assert found.stdout == ""


def test_a_change_of_the_code_leaves_the_layer_of_the_dependencies(
    docker: Docker, tmp_path: Path
) -> None:
    """What is pulled anew after one changed line is the code alone, also from another machine."""
    changed = shutil.copytree(
        docker.directory, tmp_path / "changed", ignore=shutil.ignore_patterns("secrets")
    )
    with (changed / "larp_cli" / "errors.py").open("a") as file:
        file.write("# changed\n")
    elsewhere = ("--no-cache-filter", "deps")
    identifier = docker("build", "--quiet", *elsewhere, str(changed)).stdout.strip()
    before, after = (layers(docker, image) for image in ("larp-cli", identifier))
    docker("image", "rm", identifier)

    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    sizes = docker("history", "--human=false", "--format", "{{.Size}}", "larp-cli").stdout.split()
    code, dependencies, *_ = [int(size) for size in sizes if int(size)]
    assert code < dependencies / 10


def layers(docker: Docker, image: str) -> list[str]:
    """List the digests of an image's layers."""
    told = docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image).stdout
    found: list[str] = json.loads(told)
    return found


def test_it_says_what_it_was_built_of(docker: Docker) -> None:
    """Version by itself, and what the builder tells."""
    told = {"REVISION": "4711abc", "SOURCE": "https://git.example/larp", "CREATED": "2026-11-25"}
    arguments = [word for item in told.items() for word in ("--build-arg", "=".join(item))]
    identifier = docker("build", "--quiet", *arguments, ".").stdout.strip()
    listed = docker("image", "inspect", "--format", "{{json .Config.Labels}}", identifier).stdout
    docker("image", "rm", identifier)
    labels = json.loads(listed)

    for name, value in {"VERSION": __version__, **told}.items():
        assert labels[f"org.opencontainers.image.{name.lower()}"] == value


def test_its_health_check_follows_the_port(docker: Docker) -> None:
    """The check asks where the server listens, wherever that is."""
    described = docker("image", "inspect", "--format", "{{json .Config.Healthcheck}}", "larp-cli")
    kind, *check = json.loads(described.stdout)["Test"]
    assert kind == "CMD"
    identifier = docker(
        "run", "--detach", "--network", "none", "-e", "SERVE_PORT=9000",
        "-e", "ENVIRONMENT=development", "-e", "DATABASE_URL=postgresql://x@127.0.0.1:1/x",
        "larp-cli",
    ).stdout.strip()  # fmt: skip
    try:
        until(lambda: "HTTP 503" in docker("exec", identifier, *check, check=False).stdout)
        docker("stop", identifier)
        ended = docker("inspect", "--format", "{{.State.ExitCode}}", identifier).stdout
    finally:
        docker("rm", "--force", identifier)

    assert ended.strip() == "0"


def test_production_without_its_settings_is_told_and_ends(docker: Docker) -> None:
    """The default is production, which wants a URL and a key."""
    ended = docker.run("larp-cli", check=False)

    assert ended.returncode == 4
    assert "DATABASE_URL" in ended.stderr
    assert "SECRET_KEY" in ended.stderr


def test_its_history_holds_no_secret(docker: Docker) -> None:
    """Neither a password nor an index of whoever built it is in a layer's command."""
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "larp-cli").stdout
    ours = [line for line in history.splitlines() if "larp" in line]

    assert ours
    assert not [line for line in ours if "index-url" in line or "password" in line.lower()]


def test_it_can_do_everything_without_a_checkout(docker: Docker) -> None:
    """The revisions are packed in it."""
    told = docker.run(
        "--network", "none", "-e", "ENVIRONMENT=development",
        "-e", "DATABASE_URL=postgresql://x@127.0.0.1:1/x", "larp-cli", "serve", "--timeout", "1",
        check=False,
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert "serving on" in told.stdout


def test_stopping_it_answers_what_is_under_way(docker: Docker) -> None:
    """As PID 1 in 64 MB, without rights: half a request is let finish, and it ends with 0."""
    port = free_port()
    identifier = docker(
        "run", "--detach", "--read-only", "--cap-drop", "ALL", "--memory", "64m", "--user", "54321",
        "--publish", f"127.0.0.1:{port}:8000", "-e", "ENVIRONMENT=development",
        "-e", "DATABASE_URL=postgresql://x@127.0.0.1:1/x", "larp-cli",
    ).stdout.strip()  # fmt: skip
    try:
        until(lambda: _answers(port))
        lines = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(50)]
        for line in lines:
            line.sendall(b"GET /health HTTP/1.1\r\n")
        stopping = subprocess.Popen(["docker", "stop", "--time", "5", identifier], env=ENGINE)
        until(lambda: _is_draining(docker, identifier))
        for line in lines:
            line.sendall(b"Host: here\r\n\r\n")
        answers = [line.recv(100) for line in lines]
        assert stopping.wait(timeout=PATIENCE) == 0
        told = docker("inspect", "--format", "{{json .State}}", identifier).stdout
    finally:
        docker("rm", "--force", identifier)

    assert {answer[:15] for answer in answers} == {b"HTTP/1.1 200 OK"}
    state = json.loads(told)
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    for line in lines:
        line.close()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _is_draining(docker: Docker, identifier: str) -> bool:
    logs = docker("logs", identifier)
    return "draining" in logs.stdout + logs.stderr
