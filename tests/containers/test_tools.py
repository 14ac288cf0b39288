"""The tools of an operator: a container of their own, beside servers that have no room for them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.containers.conftest import Compose, Composed, Docker

pytestmark = pytest.mark.timeout(600)


def psql(services: Composed, statement: str) -> str:
    """Run a statement as the owner."""
    return services.tools("db", "shell", "--owner", "--", "-qAtc", statement).stdout.strip()


def result(done: subprocess.CompletedProcess[str]) -> Any:
    """Read the result in a JSON document."""
    return json.loads(done.stdout)["result"]


def test_an_operator_backs_up_resets_and_restores(compose: Compose) -> None:
    """Backups outlive the container that made them; a name alone is a file among them."""
    services = compose("docker-compose.yml")
    psql(services, "CREATE TABLE larp_manager.things AS SELECT 42 AS answer")
    services.tools("db", "backup", "before.dump")

    done = services.tools("db", "reset", "--confirm", "larp", "--json")
    assert result(done)["backup"]["path"].startswith("/var/lib/larp/backups/")
    assert psql(services, "SELECT to_regclass('larp_manager.things')") == ""
    services.tools("db", "restore", "before.dump", "--confirm", "larp")
    assert psql(services, "SELECT answer FROM larp_manager.things") == "42"

    head = ("--entrypoint", "head", "tools", "-c5", "before.dump")
    assert services("run", "--rm", "--no-TTY", *head).stdout == "PGDMP"
    services("down", "--volumes")
    listed = services("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "ls", "tools")
    assert listed.stdout.split() == ["backups", "before.dump"]


@pytest.mark.usefixtures("secrets")
def test_in_production_they_take_no_memory_from_the_servers(compose: Compose) -> None:
    """A report and a backup need more than a server has; no server is ended for them."""
    services = compose("docker-compose.prod.yml")
    sections = {
        section["title"]: section
        for section in result(services.tools("doctor", "--json"))["sections"]
    }
    facts = {
        title: {fact["name"]: fact["value"] for fact in section["facts"]}
        for title, section in sections.items()
    }
    assert {section["problem"] for section in sections.values()} == {None}
    assert facts["connection"]["user"] == "larp"
    assert "yes" in facts["connection"]["pooler between"]
    assert facts["connection for migrations"]["user"] == "larp_owner"
    services.tools("db", "backup")
    assert psql(services, "SELECT current_user") == "larp_owner"

    servers = services.inspected("serve")
    assert [server["RestartCount"] for server in servers] == [0, 0]
    assert not any(server["State"]["OOMKilled"] for server in servers)


def test_their_image_has_the_programs_for_the_server_of_the_compose_file(docker: Docker) -> None:
    """They are the server's version or newer, come first on PATH, and root is not their account."""
    for program in ("psql", "pg_dump", "pg_restore"):
        told = docker.run("--entrypoint", program, "larp-tools", "--version").stdout
        assert int(told.split("(PostgreSQL) ")[1].partition(".")[0]) >= 17
    assert docker.run("--entrypoint", "id", "larp-tools", "-u").stdout.strip() == "10001"
    assert "Usage: larp" in docker.run("--network", "none", "larp-tools").stdout
