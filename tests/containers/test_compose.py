"""The compose files: one command brings all up, healthy, and it behaves as promised."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.containers.conftest import Compose, Composed, Docker, make_secrets
from tests.databases import until

pytestmark = pytest.mark.timeout(600)


def ready(port: str) -> tuple[int, str | None]:
    """Ask a server whether it is ready; returns status and reason."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as answer:
            return answer.status, json.load(answer)["reason"]
    except HTTPError as error:
        with error:
            return error.code, json.load(error)["reason"]


def tables(services: Composed) -> str:
    """List the tables of the schema, as the application's role sees them."""
    query = "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'larp_manager'"
    url = "postgresql://larp:larp@127.0.0.1/larp"
    return services("exec", "-T", "postgres", "psql", url, "-Atc", query).stdout


def test_development_comes_up_migrated_and_ready(compose: Compose) -> None:
    """Database, migration and server; what is stopped ends with 0, what is kept stays."""
    services = compose("docker-compose.yml")
    port = services.docker.environment["SERVE_PORT"]
    assert ready(port) == (200, None)
    assert services.container("migrate")["ExitCode"] == 0
    assert "alembic_version" in tables(services)

    services("stop", "serve")
    assert services.container("serve")["ExitCode"] == 0

    services("down")
    services("up", "--wait", "--detach")
    assert ready(port) == (200, None)
    assert "nothing to do" in services("logs", "migrate").stdout


def test_a_server_whose_database_stops_is_unhealthy_and_recovers(compose: Compose) -> None:
    """The engine sees it by the image's own health check."""
    services = compose("docker-compose.yml")
    port = services.docker.environment["SERVE_PORT"]
    services("stop", "postgres")
    until(lambda: ready(port)[0] == 503, seconds=30)
    until(lambda: services.container("serve")["Health"] == "unhealthy", seconds=90)
    services("start", "postgres")
    until(lambda: ready(port) == (200, None), seconds=60)


def test_the_role_of_the_application_may_use_and_not_change(compose: Compose) -> None:
    """What migrations make is the owner's, and the application's to use."""
    services = compose("docker-compose.yml")
    url = "postgresql://larp:larp@127.0.0.1/larp"
    psql = ("exec", "-T", "postgres", "psql", url, "-Atc")

    assert services(*psql, "SELECT count(*) FROM larp_manager.alembic_version").stdout == "1\n"
    refused = services(*psql, "CREATE TABLE larp_manager.mine ()", check=False)
    assert "permission denied" in refused.stderr
    services.tools("db", "reset", "--confirm", "larp", "--no-backup")
    assert services(*psql, "SELECT count(*) FROM larp_manager.alembic_version").stdout == "1\n"


def test_what_a_command_leaves_behind_is_reaped(compose: Compose) -> None:
    """The first process of a server's container takes care of orphans."""
    services = compose("docker-compose.yml")
    services("exec", "-T", "serve", "sh", "-c", "(sleep 0.1; true) & exec true")
    states = ("exec", "-T", "serve", "sh", "-c", "grep -h ^State: /proc/[0-9]*/status")
    until(lambda: "zombie" not in services(*states).stdout and not sleeping(services))


def sleeping(services: Composed) -> bool:
    """Look whether the orphan still runs."""
    told = services("exec", "-T", "serve", "sh", "-c", "cat /proc/[0-9]*/comm").stdout
    return "sleep" in told


def test_production_has_two_servers_one_migration_and_no_open_database(
    compose: Compose, docker: Docker, secrets: Path
) -> None:
    """Secrets are files, PgBouncer stands between, and each server stays within 64 MB."""
    services = compose("docker-compose.prod.yml")
    first = int(services.docker.environment["SERVE_PORTS"].partition("-")[0])
    assert [ready(str(port)) for port in (first, first + 1)] == [(200, None)] * 2
    assert services.container("migrate")["ExitCode"] == 0
    published = services("port", "postgres", "5432", check=False).stdout
    assert published.strip() in ("", ":0")

    servers = services.inspected("serve")
    assert [server["HostConfig"]["Memory"] for server in servers] == [64 * 2**20] * 2
    for service in ("postgres", "pgbouncer", "migrate", "serve"):
        for container in services.inspected(service):
            assert container["HostConfig"]["ReadonlyRootfs"] is True
            assert container["HostConfig"]["CapDrop"] == ["ALL"]
            assert container["HostConfig"]["CapAdd"] is None
            assert container["HostConfig"]["LogConfig"]["Config"]["max-size"]
            assert container["Config"]["User"] not in ("", "root", "0", "0:0")
            for secret in secrets.iterdir():
                assert secret.read_text() not in json.dumps(container)
    services("stop", "--timeout", "20", "serve")
    assert services.container("serve")["ExitCode"] == 0


def test_a_new_password_is_told_to_a_database_that_is_there(
    compose: Compose, docker: Docker, secrets: Path
) -> None:
    """Delete it, make the secrets, start anew with them, and run the script of the roles."""
    services = compose("docker-compose.prod.yml")
    (secrets / "larp_password").unlink()
    make_secrets(docker)
    again = ("up", "--wait", "--detach", "--force-recreate")
    services(*again, "postgres", "pgbouncer")
    services("exec", "-T", "postgres", "sh", "/docker-entrypoint-initdb.d/10-roles.sh")
    services(*again)

    first = int(services.docker.environment["SERVE_PORTS"].partition("-")[0])
    assert [ready(str(port)) for port in (first, first + 1)] == [(200, None)] * 2


@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.prod.yml"])
def test_a_machine_without_the_images_builds_them(docker: Docker, secrets: Path, file: str) -> None:
    """No registry is asked for what is ours, also by who does not say --build."""
    text = (docker.directory / file).read_text()
    fresh, count = re.subn(r"image: larp-(\w+)$", r"image: larp-\1-fresh", text, flags=re.MULTILINE)
    assert count >= 2
    (docker.directory / "fresh.yml").write_text(fresh)
    project = Docker(docker.directory, {"COMPOSE_PROJECT_NAME": f"larp-fresh-{os.getpid()}"})
    compose = ("compose", "--file", "fresh.yml", "--profile", "tools")
    try:
        made = project(*compose, "create")
        assert "Pull" not in made.stderr
    finally:
        project(*compose, "down", "--volumes", check=False)
        for name in ("cli", "tools", "pgbouncer"):
            project("image", "rm", f"larp-{name}-fresh", check=False)
