"""The roles of the database: what the script that makes them grants, on a real server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests import servers
from tests.conftest import ROOT, LarpProcess
from tests.databases import query, value
from tests.servers import Server, programs_of

SCRIPT = ROOT / "deploy" / "postgres" / "10-roles.sh"
OWNER_PASSWORD, APP_PASSWORD = 'it\'s \\ "owned" $HOME', "a/b@c:d%e'f"
DATABASE = "larp"


@pytest.fixture(scope="module")
def own_server(server_directory: Path) -> Iterator[Server]:
    """A server of its own, which lacks both extensions: roles are the whole server's."""
    with servers.started(18, server_directory / "roles") as running:
        running.execute("DROP ROLE larp_owner")
        running.execute(f"CREATE DATABASE {DATABASE}")
        yield running


def make_roles(server: Server, owner_password: Path) -> str:
    """Run the script; returns what it says."""
    way = conninfo_to_dict(server.administrator)
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        env={
            "PATH": f"{programs_of(18)}:{os.environ['PATH']}",
            "PGHOST": str(way["host"]),
            "PGPORT": str(way.get("port") or server.port),
            "PGPASSWORD": str(way.get("password") or ""),
            "POSTGRES_USER": str(way["user"]),
            "POSTGRES_DB": DATABASE,
            "LARP_OWNER_PASSWORD_FILE": str(owner_password),
            "LARP_APP_PASSWORD": APP_PASSWORD,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def told(own_server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the script says while it makes the roles; it was run with another password before."""
    file = tmp_path_factory.mktemp("secrets") / "password"
    for password in ("of yesterday", OWNER_PASSWORD):
        file.write_text(password + "\n")
        said = make_roles(own_server, file)
    return said


@pytest.fixture
def owner(own_server: Server, told: str) -> str:
    """URL of the owner."""
    return own_server.url(DATABASE, password=OWNER_PASSWORD)


@pytest.fixture
def application(own_server: Server, told: str) -> str:
    """URL of the application's role."""
    return own_server.url(DATABASE, user="larp", password=APP_PASSWORD)


def test_an_extension_that_is_missing_is_a_warning(told: str) -> None:
    """All grants are made, and what the server lacks is named."""
    assert told.count("continuing without extension") == 2
    assert "uuid-ossp" in told
    assert "pgcrypto" in told


def test_what_the_owner_makes_is_the_applications_to_use(
    owner: str, application: str, larp_process: LarpProcess
) -> None:
    """Also after a reset, which makes the schema anew; to change it is the owner's alone."""
    environment = {"DATABASE_URL": application, "DATABASE_MIGRATION_URL": owner}
    count = "SELECT count(*) FROM larp_manager.alembic_version"
    for command in (["db", "migrate"], ["db", "reset", "--yes", "--no-backup"]):
        outcome = larp_process(*command, env=environment)
        assert outcome.exit_code == 0, outcome.stderr
        assert value(application, count) == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(application, "CREATE TABLE larp_manager.mine ()")


def test_the_owner_sees_and_ends_what_blocks_it(owner: str, application: str) -> None:
    """A session of the application is shown with its statement, and can be ended."""
    with psycopg.connect(application, autocommit=True) as blocker:
        blocker.execute("SELECT 'it is me'")
        pid = blocker.info.backend_pid
        seen = value(owner, "SELECT query FROM pg_stat_activity WHERE pid = %s", pid)
        assert seen == "SELECT 'it is me'"
        assert value(owner, "SELECT pg_terminate_backend(%s, 5000)", pid)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_role_gets_into_another_database(
    own_server: Server, owner: str, application: str, database: str
) -> None:
    """What is not theirs is closed to both."""
    for url in (owner, application):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url.rpartition("/")[0] + f"/{database}")
