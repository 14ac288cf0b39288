"""``larp db reset``: who may do it, in which words, and what is shown to them first."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import SCHEMA, dump, has, held_mutex, name_of, query, until, value
from tests.integration.cli.db.conftest import Use
from tests.processes import PATIENCE
from tests.servers import OWNER, Server
from tests.settings import IN_PRODUCTION

# --- guards ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [(), ("--confirm", "wrong"), ("--confirm", ""), ("--confirm", "LARP_TEST")]
)
def test_without_the_right_word_nothing_is_changed(
    larp: Larp, full: str, larp_home: Path, arguments: tuple[str, ...]
) -> None:
    """Off a terminal it refuses with 6, names the flag, and touches neither data nor disk."""
    before = dump(full)

    outcome = larp("db", "reset", "--json", *arguments)

    assert outcome.exit_code == ExitCode.REFUSED
    assert "nothing was changed" in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"] == f"larp db reset --confirm {name_of(full)}"
    assert dump(full) == before
    assert not larp_home.exists()


def test_the_hint_of_a_refusal_works_when_typed(larp: Larp, full: str) -> None:
    """Typing the hint does what was asked for."""
    hint = larp("db", "reset", "--json").document["error"]["hint"]

    outcome = larp(*shlex.split(hint)[1:])

    assert outcome.exit_code == ExitCode.OK


def test_the_hint_quotes_a_name_with_spaces(larp: Larp, use: Use, server: Server) -> None:
    """A database's name is quoted for the shell."""
    server.execute('DROP DATABASE IF EXISTS "my larp"')
    server.execute(f'CREATE DATABASE "my larp" OWNER {OWNER}')
    server.created.append("my larp")
    use(server.url("my%20larp"))

    outcome = larp("db", "reset", "--json")

    assert outcome.document["error"]["hint"] == "larp db reset --confirm 'my larp'"


def test_yes_is_enough_for_a_local_database_that_is_not_production(larp: Larp, full: str) -> None:
    """``--yes`` alone goes through on this very machine."""
    assert larp("db", "reset", "--yes").exit_code == ExitCode.OK


@pytest.mark.parametrize(
    "arguments",
    [("--confirm", "NAME"), ("--yes",), ("--yes", "--allow-production")],
)
def test_production_asks_for_more(larp: Larp, full: str, arguments: tuple[str, ...]) -> None:
    """In production ``--allow-production`` is needed besides the name; ``--yes`` is nothing."""
    query(full, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    before = dump(full)
    words = [name_of(full) if word == "NAME" else word for word in arguments]

    outcome = larp("db", "reset", "--json", *words, env=IN_PRODUCTION)

    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.document["error"]["hint"]
    assert dump(full) == before


def test_production_can_be_reset_by_who_means_it(larp: Larp, full: str) -> None:
    """Both words together are consent; the stamp stays what it was."""
    query(full, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    words = ("--confirm", name_of(full), "--allow-production")

    outcome = larp("db", "reset", "--json", *words, env=IN_PRODUCTION)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert value(full, f"SELECT value FROM {SCHEMA}.larp_metadata") == "production"


def test_a_stray_url_of_production_is_refused_in_development(larp: Larp, full: str) -> None:
    """The stamp in the database counts, whatever ENVIRONMENT and the flags say."""
    query(full, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    before = dump(full)
    words = ("--confirm", name_of(full), "--allow-production", "--yes")

    outcome = larp("db", "reset", "--json", *words)

    assert outcome.exit_code == ExitCode.REFUSED
    assert "is stamped production" in outcome.document["error"]["message"]
    assert dump(full) == before


def test_what_will_be_lost_is_shown_first(larp: Larp, full: str) -> None:
    """Host, database, user, schema, and the tables with estimates of their rows."""
    query(full, f"ANALYZE {SCHEMA}.hero")

    outcome = larp("db", "reset", "--json")

    place = full.rpartition("@")[2].partition("/")[0]
    shown = f"schema {SCHEMA} of database {name_of(full)} on {place}, as {OWNER}"
    assert shown in outcome.stderr
    assert f"{SCHEMA}.hero: about 9 rows" in outcome.stderr
    assert "others.kept" not in outcome.stderr


def test_a_stamp_that_this_role_may_not_read_is_no_leave(
    larp: Larp, server: Server, initialised: str
) -> None:
    """A guard that cannot see whose the database is does not open."""
    name = initialised.rpartition("/")[2]
    server.execute(f"ALTER TABLE {SCHEMA}.larp_metadata OWNER TO postgres", name)
    query_before = dump(initialised, "--schema-only", "--exclude-table=*.larp_metadata")
    outcome = larp(
        "db", "reset", "--confirm", name, "--no-backup", env={"DATABASE_URL": initialised}
    )

    assert outcome.exit_code != ExitCode.OK
    assert "larp_metadata" in outcome.stderr
    assert dump(initialised, "--schema-only", "--exclude-table=*.larp_metadata") == query_before


# --- at a terminal --------------------------------------------------------------------


def spawn(*arguments: str) -> Any:
    """Start larp at a terminal of its own."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "larp_cli", "db", "reset", *arguments],
        env={**os.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )


def ended(child: Any) -> int:
    """Wait for the end; returns the exit status."""
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus if child.exitstatus is not None else 128 + child.signalstatus)


@pytest.mark.parametrize("options", [(), ("--quiet",)], ids=["", "quiet"])
def test_nobody_is_asked_without_seeing_what_is_at_stake(
    full: str, options: tuple[str, ...]
) -> None:
    """Not even with --quiet: a name is not typed for what was not shown."""
    child = spawn(*options)
    child.expect(f"schema {SCHEMA} of database")
    child.expect(f"{SCHEMA}.hero: ")
    child.expect("Type the database's name.*: ")
    child.send("\x04")

    assert ended(child) == ExitCode.REFUSED


def test_at_a_terminal_the_name_is_typed(full: str) -> None:
    """The right name goes on; what is lost and how to go back are on the screen."""
    child = spawn()
    child.expect(f"schema {SCHEMA} of database")
    child.expect("Type the database's name")
    child.sendline(name_of(full))
    child.expect("to undo")

    assert ended(child) == ExitCode.OK
    assert not has(full, f"{SCHEMA}.hero")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("wrong\n", ExitCode.REFUSED),
        ("\n", ExitCode.REFUSED),
        ("y\n", ExitCode.REFUSED),
        ("\x04", ExitCode.REFUSED),
        ("\x03", ExitCode.INTERRUPTED),
    ],
)
def test_any_other_answer_changes_nothing(full: str, answer: str, code: ExitCode) -> None:
    """A wrong name, nothing, yes, end of file and Ctrl-C all leave the database as it is."""
    before = dump(full)
    child = spawn()
    child.expect("Type the database's name.*: ")
    child.send(answer)

    assert ended(child) == code
    assert dump(full) == before


def test_a_terminal_without_stdin_is_not_asked(larp_process: LarpProcess, full: str) -> None:
    """A name that is piped in is no typed name: the flag is for that."""
    with larp_process.start("db", "reset", "--json", stdin=subprocess.PIPE) as process:
        stdout, _ = process.communicate(f"{name_of(full)}\n", timeout=PATIENCE)

    assert process.returncode == ExitCode.REFUSED
    assert "--confirm" in stdout


def test_what_changed_while_one_waited_is_shown_again(larp_process: LarpProcess, full: str) -> None:
    """Consent was to what was seen: a table that another migrator made meanwhile was not."""
    with held_mutex(full) as holder:
        arguments = ("db", "reset", "--yes", "--no-backup", "--json")
        with larp_process.start(*arguments) as process:
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'larp-migr%'"
            )
            until(lambda: value(full, f"{waiting} AND datname = current_database()"))
            query(full, f"CREATE TABLE {SCHEMA}.latecomer ()")
            holder.close()
            stdout, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.REFUSED, stdout
    assert "nothing was changed by this command" in stdout
    assert has(full, f"{SCHEMA}.hero")


def test_the_rows_of_a_new_table_are_counted(larp: Larp, full: str) -> None:
    """What was never analysed has no estimate, and is just what somebody may be about to lose."""
    query(full, f"CREATE TABLE {SCHEMA}.fresh AS SELECT generate_series(1, 7) AS n")
    query(full, f"CREATE TABLE {SCHEMA}.large AS SELECT generate_series(1, 10001) AS n")

    outcome = larp("db", "reset")

    assert outcome.exit_code == ExitCode.REFUSED
    assert f"{SCHEMA}.fresh: about 7 rows" in outcome.stderr
    assert f"{SCHEMA}.large: unknown number of rows" in outcome.stderr


def test_several_resets_at_once_follow_each_other(larp_process: LarpProcess, full: str) -> None:
    """None is refused for what another one has dropped, and none trips over it."""
    arguments = ("db", "reset", "--yes", "--no-backup", "--json")
    processes = [larp_process.start(*arguments) for _ in range(4)]
    outputs = [process.communicate(timeout=PATIENCE) for process in processes]

    assert [process.returncode for process in processes] == [ExitCode.OK] * 4, outputs
    assert has(full, f"{SCHEMA}.alembic_version")
