"""The compose files: one command brings all up, healthy, and it behaves as promised."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from urllib.error import HTTPError

import pytest

from tests.containers.conftest import Compose, Composed, Docker
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
    reset = ("run", "--rm", "migrate", "db", "reset", "--confirm", "larp", "--no-backup")
    assert services(*reset, check=False).returncode == 0
    assert services(*psql, "SELECT count(*) FROM larp_manager.alembic_version").stdout == "1\n"


def test_production_has_two_servers_one_migration_and_no_open_database(
    compose: Compose, docker: Docker
) -> None:
    """Secrets are files, PgBouncer stands between, and each server stays within 64 MB."""
    subprocess.run(["sh", "deploy/make-secrets.sh"], cwd=docker.directory, check=True)
    services = compose("docker-compose.prod.yml")
    first = int(services.docker.environment["SERVE_PORTS"].partition("-")[0])
    assert [ready(str(port)) for port in (first, first + 1)] == [(200, None)] * 2
    assert services.container("migrate")["ExitCode"] == 0
    published = services("port", "postgres", "5432", check=False).stdout
    assert published.strip() in ("", ":0")

    ids = services("ps", "--quiet", "serve").stdout.split()
    assert len(ids) == 2
    for number in ids:
        listed = docker("inspect", "--format", "{{json .HostConfig}}", number).stdout
        settings = json.loads(listed)
        assert settings["ReadonlyRootfs"] is True
        assert settings["CapDrop"] == ["ALL"]
        assert settings["Memory"] == 64 * 2**20
        inspected = docker("inspect", number).stdout
        for secret in (docker.directory / "secrets").iterdir():
            assert secret.read_text() not in inspected
    began = time.monotonic()
    services("stop", "--timeout", "20", "serve")
    assert time.monotonic() - began < 20
    assert services.container("serve")["ExitCode"] == 0
