from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, dump, held_mutex, query

NOTES = f"SELECT text FROM {SCHEMA}.note ORDER BY id"
TABLE = f"CREATE TABLE {SCHEMA}.note (id serial, text text UNIQUE)"


@pytest.fixture
def seeds(tmp_path: Path, ready: str) -> Path:
    """The directory of the seeds; in the database there is a table for notes."""
    query(ready, TABLE)
    directory = tmp_path / "seeds"
    directory.mkdir()
    return directory


def notes(url: str) -> list[str]:
    """Read what was seeded."""
    return [row[0] for row in query(url, NOTES)]


def test_files_are_loaded_by_name_then_those_of_the_environment(
    larp: Larp, ready: str, seeds: Path
) -> None:
    """First seeds/*.sql, then seeds/<ENVIRONMENT>/*.sql, with our schema in the search path."""
    (seeds / "testing").mkdir()
    (seeds / "development").mkdir()
    for name in ("20_b", "10_a", "development/05_c", "testing/01_d"):
        (seeds / f"{name}.sql").write_text(f"INSERT INTO note (text) VALUES ('{name}')")
    (seeds / "readme.txt").write_text("no SQL")

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.document["changed"] is True
    expected = ["10_a", "20_b", "development/05_c"]
    assert [item["name"] for item in outcome.result["files"]] == [f"{n}.sql" for n in expected]
    assert notes(ready) == expected


def test_another_environments_data_can_be_asked_for(larp: Larp, ready: str, seeds: Path) -> None:
    """``--env testing`` loads testing's files instead of development's."""
    for name in ("testing", "development"):
        (seeds / name).mkdir()
        (seeds / name / "a.sql").write_text(f"INSERT INTO note (text) VALUES ('{name}')")

    outcome = larp("db", "seed", "--env", "testing", "--json")

    assert outcome.result["environment"] == "testing"
    assert notes(ready) == ["testing"]


def test_if_a_file_fails_nothing_is_loaded_and_file_and_line_are_told(
    larp: Larp, ready: str, seeds: Path
) -> None:
    """One transaction for all; the error names file, line and the server's words."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    (seeds / "2.sql").write_text("SELECT 'ü';\n\nINSERT INTO\n  nowhere VALUES (1);\n")

    outcome = larp("db", "seed", "--json")

    message = outcome.document["error"]["message"]
    assert outcome.exit_code == ExitCode.FAILURE
    assert f"{Path('seeds/2.sql')}, line 4: " in message
    assert 'relation "nowhere" does not exist' in message
    assert message.endswith("nothing was loaded")
    assert notes(ready) == []


def test_a_violated_constraint_names_the_file(larp: Larp, ready: str, seeds: Path) -> None:
    """An error without a position in the text still names its file."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('same')")
    (seeds / "2.sql").write_text("INSERT INTO note (text) VALUES ('same')")

    outcome = larp("db", "seed")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "seeds/2.sql" in outcome.stderr
    assert "duplicate key" in outcome.stderr
    assert notes(ready) == []


@pytest.mark.parametrize(
    "end",
    [
        "COMMIT",
        "ROLLBACK",
        "commit; BEGIN",
        "ROLLBACK; BEGIN",
        "END",
        "ABORT",
        "START TRANSACTION",
        "PREPARE TRANSACTION 'x'",
        "/* a */ COMMIT -- b",
    ],
)
def test_a_file_that_ends_the_transaction_is_an_error(
    larp: Larp, ready: str, seeds: Path, end: str
) -> None:
    """A COMMIT in a file would break the promise of all or nothing: it is refused."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    (seeds / "2.sql").write_text(f"INSERT INTO note (text) VALUES ('second');\n\n{end};")
    (seeds / "3.sql").write_text("INSERT INTO note (text) VALUES ('third')")

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    assert "2.sql, line 3: " in outcome.document["error"]["message"]
    assert "COMMIT" in outcome.document["error"]["hint"]
    assert notes(ready) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SET CONSTRAINTS ALL IMMEDIATE",
        "SET CONSTRAINTS ALL DEFERRED; SET CONSTRAINTS ALL IMMEDIATE",
        "SAVEPOINT a; ROLLBACK TO a; RELEASE a",
        "PREPARE x AS SELECT 1; EXECUTE x",
        "DO $$ BEGIN NULL; END $$",
        "SELECT 'COMMIT; ROLLBACK;' -- COMMIT;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
    ],
)
def test_what_only_looks_like_an_end_is_loaded(
    larp: Larp, ready: str, seeds: Path, statement: str
) -> None:
    """Checking the constraints, savepoints, strings and bodies leave the transaction open."""
    (seeds / "1.sql").write_text(f"INSERT INTO note (text) VALUES ('a'); {statement}")
    (seeds / "2.sql").write_text("SET CONSTRAINTS ALL IMMEDIATE")

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert notes(ready) == ["a"]


@pytest.mark.parametrize(
    "unreadable", ["SELECT 'long" + "!" * 300_000 + "'", "SELECT 1" + " + 1" * 50]
)
def test_what_the_parser_cannot_read_is_loaded_as_well(
    larp: Larp, ready: str, seeds: Path, unreadable: str
) -> None:
    """Text that is too long or too deep for it is data all the same; an end in it is seen."""
    note = "INSERT INTO note (text) VALUES ('a, not the end')"
    (seeds / "1.sql").write_text(f"{unreadable}; SET CONSTRAINTS ALL IMMEDIATE; {note}")
    loaded = larp("db", "seed")
    (seeds / "2.sql").write_text(f"{unreadable}; COMMIT")
    refused = larp("db", "seed", "--json")

    assert loaded.exit_code == ExitCode.OK, loaded.stderr
    assert refused.exit_code == ExitCode.FAILURE
    assert "2.sql, line 1: COMMIT is not allowed" in refused.document["error"]["message"]
    assert notes(ready) == ["a, not the end"]


@pytest.mark.parametrize("end", ["COMMIT", "COMMIT; BEGIN"])
def test_a_file_that_is_too_long_to_be_split_keeps_the_promise(
    larp: Larp, ready: str, seeds: Path, end: str
) -> None:
    """Megabytes of data are loaded, and a COMMIT in them fails in the database."""
    data = f"SELECT '{'x' * 5_000_000}'; INSERT INTO note (text) VALUES ('not the end')"
    (seeds / "1.sql").write_text(data)
    loaded = larp("db", "seed")
    (seeds / "1.sql").write_text(f"{data.replace('the end', 'an end')}; {end}")
    refused = larp("db", "seed", "--json")

    assert loaded.exit_code == ExitCode.OK, loaded.stderr
    assert refused.exit_code == ExitCode.FAILURE, refused.stdout
    assert "1.sql ends the transaction" in refused.document["error"]["message"]
    assert notes(ready) == ["not the end"]


@pytest.mark.parametrize("end", ["COMMIT", "COMMIT; BEGIN", "ROLLBACK", "ROLLBACK; BEGIN"])
def test_where_the_server_reads_strings_in_its_old_way_an_end_is_still_an_error(
    larp: Larp, ready: str, seeds: Path, end: str
) -> None:
    """There the parser sees a string and the server a COMMIT: a row in the way makes it fail."""
    with psycopg.connect(ready, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        old = "ALTER DATABASE {} SET standard_conforming_strings = off"
        connection.execute(sql.SQL(old).format(name))
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    (seeds / "2.sql").write_text(f"SELECT '\\''; {end}; --'")

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    assert "2.sql ends the transaction" in outcome.document["error"]["message"]
    assert notes(ready) == []


@pytest.mark.parametrize(
    "content", [b"SELECT 1; -- \xff", b"SELECT 1;\0 INSERT INTO note (text) VALUES ('lost')"]
)
def test_a_file_that_is_no_text_is_named_before_anything_is_loaded(
    larp: Larp, ready: str, seeds: Path, content: bytes
) -> None:
    """Neither Latin-1 nor a NUL is passed on half-read."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    (seeds / "2.sql").write_bytes(content)

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "2.sql cannot be read" in outcome.document["error"]["message"]
    assert notes(ready) == []


def test_a_byte_order_mark_is_no_sql(larp: Larp, ready: str, seeds: Path) -> None:
    """A file that a Windows editor saved loads like any other."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')", "utf-8-sig")

    assert larp("db", "seed").exit_code == ExitCode.OK
    assert notes(ready) == ["first"]


@pytest.mark.parametrize("data", ["first\n\\.\n", ""])
def test_copy_from_stdin_is_refused_with_a_reason(
    larp: Larp, ready: str, seeds: Path, data: str
) -> None:
    """The COPY of a plain dump cannot be loaded; it says so and hangs nowhere."""
    (seeds / "1.sql").write_text(f"COPY note (text) FROM stdin;\n{data}")

    outcome = larp("db", "seed", "--json", "--timeout", "20")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "1.sql" in outcome.document["error"]["message"]
    assert notes(ready) == []


def test_percent_signs_and_colons_are_data(larp: Larp, ready: str, seeds: Path) -> None:
    """Nothing in a seed file is taken for a parameter."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('100 % of :all %s'), ('$1');")

    assert larp("db", "seed").exit_code == ExitCode.OK
    assert notes(ready) == ["100 % of :all %s", "$1"]


def test_a_missing_directory_is_told(larp: Larp, ready: str) -> None:
    """Without seeds/ it ends in 4 and says what to do."""
    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "seeds" in outcome.document["error"]["message"]
    assert "seeds/*.sql" in outcome.document["error"]["hint"]


def test_an_empty_directory_changes_nothing(larp: Larp, ready: str, seeds: Path) -> None:
    """No file is no error, and no change."""
    outcome = larp("db", "seed", "--json")

    assert (outcome.exit_code, outcome.document["changed"]) == (ExitCode.OK, False)
    assert outcome.result["files"] == []


@pytest.mark.parametrize("arguments", [("db", "seed"), ("db", "init", "--seed")])
def test_production_is_not_seeded(
    larp: Larp, ready: str, seeds: Path, arguments: tuple[str, ...]
) -> None:
    """Development data does not get into a production database by either command."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    query(ready, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    env = {"ENVIRONMENT": "production", "SECRET_KEY": "kT7-vQ2x_W9bLr4mZc8nHs1pYd6fGj3aUe5o"}
    before = dump(ready)

    outcome = larp(*arguments, "--json", env=env)

    assert outcome.exit_code == ExitCode.REFUSED, outcome.stdout
    assert "production" in outcome.document["error"]["message"]
    assert dump(ready) == before
    allowed = larp("db", "seed", "--allow-production", env=env)
    assert allowed.exit_code == ExitCode.OK
    assert notes(ready) == ["first"]


def test_the_database_of_another_environment_is_not_seeded(
    larp: Larp, ready: str, seeds: Path
) -> None:
    """A stamp that is not ours is refused."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    query(ready, f"UPDATE {SCHEMA}.larp_metadata SET value = 'staging'")

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.REFUSED
    assert notes(ready) == []


def test_seeding_waits_for_a_migrator(larp: Larp, ready: str, seeds: Path) -> None:
    """Seeds are not loaded into a schema that is just being migrated."""
    (seeds / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")

    with held_mutex(ready):
        outcome = larp("db", "seed", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.LOCKED
    assert notes(ready) == []


def test_init_seeds_once(larp: Larp, empty: str, tmp_path: Path) -> None:
    """``init --seed`` loads the files once; again only when they have changed."""
    (tmp_path / "seeds").mkdir()
    file = tmp_path / "seeds" / "1.sql"
    file.write_text(f"{TABLE}; INSERT INTO note (text) VALUES ('first')")

    first = larp("db", "init", "--seed", "--json")
    second = larp("db", "init", "--seed", "--json")
    file.write_text("INSERT INTO note (text) VALUES ('second')")
    third = larp("db", "init", "--seed", "--json")

    assert [o.exit_code for o in (first, second, third)] == [ExitCode.OK] * 3, second.stdout
    assert [o.document["changed"] for o in (first, second, third)] == [True, False, True]
    assert notes(empty) == ["first", "second"]


def test_seeding_what_is_not_initialised_is_told(larp: Larp, empty: str, tmp_path: Path) -> None:
    """Without the tables the seeds fail as a whole; nothing of ours is left."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "1.sql").write_text("INSERT INTO note (text) VALUES ('first')")
    before = dump(empty)

    outcome = larp("db", "seed", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert 'relation "note" does not exist' in outcome.document["error"]["message"]
    assert dump(empty) == before
