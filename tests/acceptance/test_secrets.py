"""No password is ever shown: whatever it looks like, wherever it stands, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from psycopg import sql

from larp_cli.errors import ExitCode
from larp_cli.postgres.embedded import installation
from tests.conftest import Larp, LarpProcess, Outcome
from tests.projects import foreign_project
from tests.servers import Server, free_port

PASSWORDS = {
    "percent": "ses%ame%20x",
    "url": "ses@ame:x/yz",
    "quotes": "ses'am\"e\\xyz",
    "spaces": "ses  ame xyz",
    "unicode": "sésame öffne",
    "query": "ses?ame&xyz=1#x",
    "shell": "ses$ame${xyz}",
    "markup": "[red]ses[/red]",
}
"""One for each kind of character that URLs, shells, SQL or rich treat in a way of their own."""

every_password = pytest.mark.parametrize("password", PASSWORDS.values(), ids=list(PASSWORDS))

FLAGS = (("--json", "--debug"), ("--verbose", "--output", "human"))
"""What could say more than is good: each run once."""

PLACES = {
    "userinfo": "postgresql://larp_secret:{password}@{place}",
    "query": "postgresql://larp_secret@{place}?password={password}",
}
every_place = pytest.mark.parametrize("template", PLACES.values(), ids=list(PLACES))


def spellings(password: str) -> set[str]:
    """Give the ways in which the password could show."""
    return {
        password,
        quote(password),
        quote(password, safe=""),
        quote(password, safe="").lower(),
        quote_plus(password),
        " ".join(password.split()),
        repr(password)[1:-1],
        ascii(password)[1:-1],
        password.replace("'", "''"),
        password.replace("\\", "\\\\").replace('"', '\\"'),
    }


def shown(password: str, text: str) -> list[str]:
    """Return the spellings of the password that stand in the text."""
    return [spelling for spelling in spellings(password) if spelling in text]


def run_all(larp: Larp, url: str, expected: set[ExitCode], *commands: str) -> str:
    """Run the commands with each set of flags; returns all that they wrote."""
    written = []
    for command in commands:
        for flags in FLAGS:
            outcome = larp(*flags, *command.split(), env={"DATABASE_URL": url})
            assert outcome.exit_code in expected, outcome
            written.append(outcome.stdout + outcome.stderr)
    return "\n".join(written)


@pytest.fixture
def secret_role(server: Server, request: pytest.FixtureRequest) -> str:
    """A role that enters with the password of the test, where the server asks for one."""
    password = request.getfixturevalue("password")
    name = "larp_secret"
    with psycopg.connect(server.administrator, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(password)
            )
        )
    request.addfinalizer(lambda: _drop(server, name))
    return name


def _drop(server: Server, role: str) -> None:
    with psycopg.connect(server.administrator, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


@every_password
@every_place
def test_success_shows_no_password(
    template: str, password: str, larp: Larp, server: Server, secret_role: str
) -> None:
    """Commands that get in do not say how."""
    url = template.format(
        password=quote(password, safe=""), place=f"{server.host}:{server.port}/postgres"
    )

    codes = {ExitCode.OK, ExitCode.NEGATIVE}
    written = run_all(larp, url, codes, "db status", "db wait", "config show --origin")

    assert "larp_secret" in written, "the rest of the URL is shown"
    assert shown(password, written) == []


@every_password
@every_place
def test_a_wrong_password_is_not_shown(
    template: str, password: str, larp: Larp, server: Server
) -> None:
    """What was tried is as secret as what is right."""
    url = template.format(
        password=quote(password, safe=""), place=f"{server.host}:{server.port}/nowhere"
    )

    written = run_all(larp, url, {ExitCode.UNREACHABLE}, "db status", "db wait")

    assert shown(password, written) == []


@every_password
@every_place
def test_an_unreachable_server_shows_no_password(template: str, password: str, larp: Larp) -> None:
    """Nor does an error of the network, or its traceback."""
    url = template.format(password=quote(password, safe=""), place=f"127.0.0.1:{free_port()}/larp")

    written = run_all(larp, url, {ExitCode.UNREACHABLE}, "db migrate", "db wait --timeout 0.01")

    assert "hint: " in written
    assert shown(password, written) == []


@every_password
def test_an_unknown_host_shows_no_password(password: str, larp: Larp) -> None:
    """The resolver's message names the host alone."""
    url = f"postgresql://larp:{quote(password, safe='')}@nowhere.invalid/larp"

    outcome = larp("db", "status", "--debug", env={"DATABASE_URL": url})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert shown(password, outcome.stdout + outcome.stderr) == []


@every_password
@pytest.mark.parametrize(
    "template",
    [
        "postgresql://larp:{raw}@127.0.0.1:1/larp",
        "postgresql://larp@127.0.0.1:1/larp?password={raw}",
        "postgresql://larp:{raw}@127.0.0.1:port/larp",
        "postgresql://larp:{encoded}@127.0.0.1:99999/larp",
        "postgresql://larp:{encoded}@[::1/larp",
        "postgresql://larp:{encoded}@127.0.0.1:1/larp?frobnicate=1",
        "postgresql://larp:{encoded}%zz@127.0.0.1:1/larp",
        "mysql://larp:{raw}@127.0.0.1/larp",
        "postgresql:/larp:{raw}@127.0.0.1/larp",
        "host=127.0.0.1 port=1 password='{raw}'",
    ],
)
def test_a_url_that_is_wrong_shows_no_password(template: str, password: str, larp: Larp) -> None:
    """Neither raw as libpq may take it, nor in what libpq echoes of a fault."""
    url = template.format(raw=password, encoded=quote(password, safe=""))

    codes = {ExitCode.OK, ExitCode.CONFIGURATION, ExitCode.UNREACHABLE}
    written = run_all(larp, url, codes, "db status", "config show", "config check")

    assert shown(password, written) == []


@every_password
def test_a_password_in_the_environment_of_libpq_is_not_shown(
    password: str, larp: Larp, server: Server, secret_role: str
) -> None:
    """PGPASSWORD is a secret like the others."""
    url = f"postgresql://{secret_role}@{server.host}:{server.port}/postgres"

    outcome = larp("db", "status", "--debug", env={"DATABASE_URL": url, "PGPASSWORD": password})

    assert outcome.exit_code == ExitCode.NEGATIVE, outcome.stderr
    assert shown(password, outcome.stdout + outcome.stderr) == []


# --- a password that is a public name as well -------------------------------------

NAME = "moonrise7"
PLACES_OF_ITS_OWN = (f":{NAME}@", f"password={NAME}", f"password {NAME}", f"password': '{NAME}'")

TELLING = f"""
import os
raise RuntimeError(os.environ["DATABASE_URL"] + " password={NAME}, with password {NAME}")
"""


@pytest.fixture
def namesake(server: Server, request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a database whose password, role, name and schema are one word."""
    with psycopg.connect(server.administrator, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{NAME}'")
        connection.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")
    request.addfinalizer(lambda: _drop(server, NAME))
    request.addfinalizer(lambda: server.execute(f"DROP DATABASE {NAME} WITH (FORCE)"))
    return {
        "DATABASE_URL": server.url(NAME, user=NAME, password=NAME),
        "DATABASE_SCHEMA": NAME,
    }


def test_names_stay_readable_where_the_password_equals_them(
    namesake: dict[str, str], larp: Larp
) -> None:
    """A masked name would make hints useless, and tell the password."""
    initialised = larp("db", "init", "--debug", env=namesake)
    status = larp("db", "status", "--json", "--debug", env=namesake)
    refused = larp("db", "reset", "--json", env=namesake)

    assert initialised.exit_code == status.exit_code == ExitCode.OK, initialised
    assert status.result["server"]["database"] == status.result["server"]["user"] == NAME
    assert status.result["schema"] == NAME
    assert refused.exit_code == ExitCode.REFUSED
    assert refused.document["error"]["hint"].startswith(f"larp db reset --confirm {NAME}")
    written = "".join(o.stdout + o.stderr for o in (initialised, status, refused))
    assert [place for place in PLACES_OF_ITS_OWN if place in written] == []


def test_a_password_that_equals_a_name_is_hidden_in_errors_and_in_the_ledger(
    namesake: dict[str, str], larp: Larp, tmp_path: Path
) -> None:
    """What a revision puts into its error is hidden where it stands as the password."""
    project = foreign_project(tmp_path / "theirs")
    project.chain(TELLING)

    failed = larp("db", "migrate", "-c", project.config, "--debug", env=namesake)
    history = larp("db", "history", "-c", project.config, "--json", env=namesake)

    assert failed.exit_code == ExitCode.MIGRATION_FAILED
    (run,) = history.result["runs"]
    assert f"postgresql://{NAME}:***@" in run["error"]
    for text in (failed.stderr, run["error"]):
        assert "password=***" in text and "with password ***" in text
        assert [place for place in PLACES_OF_ITS_OWN if place in text] == []


# --- argument lists -----------------------------------------------------------------

WITNESS = """#!{python}
import os, subprocess, sys
with open({log!r}, "a") as log:
    for process in ("self", os.getppid()):
        with open(f"/proc/{{process}}/cmdline") as cmdline:
            print(cmdline.read().split(chr(0)), file=log)
os.execv({real!r}, [{real!r}, *sys.argv[1:]])
"""


@pytest.fixture
def witnessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a witness of each client program on PATH; it notes the argument lists that it sees."""
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("this system has no /proc")
    log, directory = tmp_path / "seen.log", tmp_path / "bin"
    directory.mkdir()
    for name in ("psql", "pg_dump", "pg_restore"):
        witness = directory / name
        real = str(installation() / name)
        witness.write_text(WITNESS.format(python=sys.executable, log=str(log), real=real))
        witness.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.mark.parametrize("password", ["ses%ame@:/'a\"mé  xyz"], ids=["everything"])
def test_no_password_is_in_an_argument_list(
    password: str, server: Server, witnessed: Path, larp_process: LarpProcess, secret_role: str
) -> None:
    """Client programs get it through their environment: argument lists are public."""
    name = server.create()
    server.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
            sql.Identifier(name), sql.Identifier(secret_role)
        )
    )
    environment = {"DATABASE_URL": server.url(name, user=secret_role, password=password)}

    outcomes: list[Outcome] = [
        larp_process("db", "init", env=environment),
        larp_process("db", "shell", "--", "-Xc", "SELECT current_user", env=environment),
        larp_process("db", "reset", "--yes", env=environment),
        larp_process("db", "backup", "schema.dump", env=environment),
        larp_process("db", "restore", "schema.dump", "--yes", env=environment),
    ]

    server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    server.created.remove(name)
    assert [outcome.exit_code for outcome in outcomes] == [0] * 5, outcomes
    seen = witnessed.read_text()
    for word in ("psql", "pg_dump", "pg_restore", "larp_cli"):
        assert word in seen
    written = "".join(o.stdout + o.stderr for o in outcomes)
    for part in (password, password.partition("'")[0]):  # the part that no quoting changes
        assert shown(part, seen) == []
        assert shown(part, written) == []
