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
