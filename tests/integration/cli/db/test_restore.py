from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import psycopg
import pytest
from psycopg import sql as pgsql

from larp_cli.database.embedded import installation
from larp_cli.database.url import normalise_url
from larp_cli.errors import ExitCode
from tests.catalogue import catalogue
from tests.conftest import Larp, LarpProcess
from tests.databases import HEAD, SCHEMA, dump, has, held_mutex, query, running, until, value
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import sql
from tests.servers import OWNER, Server

PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": "kT7-vQ2x_W9bLr4mZc8nHs1pYd6fGj3aUe5o"}

RICH = f"""
SET search_path = {SCHEMA};
CREATE TYPE mood AS ENUM ('calm', 'angry', 'größe');
ALTER TYPE mood ADD VALUE 'before' BEFORE 'calm';
CREATE DOMAIN level AS int CHECK (VALUE BETWEEN 1 AND 99);
CREATE TYPE place AS (x int, y text);
CREATE TABLE hero (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    mood mood DEFAULT 'calm',
    level level,
    where_at place,
    tags text[] DEFAULT ARRAY['a, b', 'c"d'],
    data jsonb,
    secret bytea,
    updated_at timestamptz,
    loud text GENERATED ALWAYS AS (upper(name)) STORED
);
COMMENT ON TABLE hero IS 'those who fight; ''quoted''';
COMMENT ON COLUMN hero.name IS $$COPY hero (id) FROM stdin;
\\.
$$;
INSERT INTO hero (name, mood, level, where_at, data, secret)
    SELECT E'hero\\t\\n\\\\.\\r' || n, 'angry', n % 99 + 1,
        ROW(n, 'ü'::text)::place, '{{"a": [1, null]}}', '\\x00ff'
    FROM generate_series(1, 300) n;
CREATE INDEX hero_by_mood ON hero (mood) WHERE level > 3;
CREATE TABLE item (hero bigint REFERENCES hero ON DELETE CASCADE, parent serial, UNIQUE (hero));
INSERT INTO item (hero) SELECT id FROM hero LIMIT 5;
CREATE SEQUENCE numbers START 100 INCREMENT 5;
SELECT nextval('numbers'), nextval('numbers');
CREATE SEQUENCE untouched;
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS
$body$
COPY hero FROM stdin;
SELECT upper($1) || '\\.';
$body$;
DROP FUNCTION shout;
CREATE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS
$body$
BEGIN
-- COMMIT;
RETURN '
COPY hero (id) FROM stdin;
\\.
';
END
$body$;
CREATE TRIGGER touch BEFORE UPDATE ON hero FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE VIEW angry AS SELECT name FROM hero WHERE mood = 'angry';
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM hero;
CREATE TABLE log (at date, text text) PARTITION BY RANGE (at);
CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO log VALUES ('2026-11-22', 'now');
CREATE TABLE "Odd ""name"";
--" (" a b " int);
INSERT INTO "Odd ""name"";
--" VALUES (1);
CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS id;
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON item USING (hero > 0);
GRANT SELECT ON hero TO PUBLIC;
GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA {SCHEMA} GRANT SELECT ON TABLES TO PUBLIC;
"""


def name_of(url: str) -> str:
    """Name the database of a URL."""
    return url.rpartition("/")[2]


def pg_dump(url: str, path: Path, *arguments: str, program: Path | None = None) -> Path:
    """Dump a database without larp."""
    subprocess.run(
        [
            program or installation() / "pg_dump",
            "--format=custom",
            f"--file={path}",
            *arguments,
        ],
        env=os.environ | normalise_url(url).environment(),
        check=True,
    )
    return path


@pytest.fixture
def full(ready: str) -> str:
    """URL of a database with rows, and with a schema of others beside it."""
    query(ready, f"CREATE TABLE {SCHEMA}.hero (id serial PRIMARY KEY, name text)")
    query(ready, f"INSERT INTO {SCHEMA}.hero (name) SELECT 'n' || n FROM generate_series(1, 9) n")
    query(ready, "CREATE SCHEMA others")
    query(ready, "CREATE TABLE others.kept AS SELECT 1 AS id")
    return ready


@pytest.fixture
def saved(larp: Larp, full: str) -> str:
    """URL of that database, after its backup was written to schema.dump."""
    assert larp("db", "backup", "schema.dump").exit_code == ExitCode.OK
    return full


def confirmed(url: str, *arguments: str) -> tuple[str, ...]:
    """Write the command line that restores schema.dump without a question or a backup."""
    return (
        *("db", "restore", "schema.dump", "--json", "--no-backup"),
        *("--confirm", name_of(url), *arguments),
    )


@pytest.fixture
def unchanged(full: str) -> Iterator[None]:
    """Check that the test changed nothing in the database."""
    before, whole = catalogue(full, SCHEMA), dump(full)
    yield
    assert catalogue(full, SCHEMA) == before
    assert dump(full) == whole


# --- what comes back ------------------------------------------------------------------


def test_backup_reset_restore_gives_everything_back(
    larp: Larp, use: Use, every_server: Server
) -> None:
    """Rows, types, functions, triggers, sequences and grants are what they were, everywhere."""
    url = use(every_server.url(every_server.create()))
    assert larp("db", "init").exit_code == ExitCode.OK
    query_all(url, RICH)
    before = catalogue(url, SCHEMA)
    whole = dump(url)
    assert before["rows of hero"] and before["sequence numbers"]

    backup = larp("db", "backup", "schema.dump", "--json")
    assert backup.exit_code == ExitCode.OK, backup.stdout
    assert larp("db", "reset", "--yes", "--no-backup").exit_code == ExitCode.OK
    assert catalogue(url, SCHEMA) != before
    outcome = larp(*shlex.split(backup.result["restore_command"])[1:], "--json", "--no-backup")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["current"] == [HEAD]
    assert catalogue(url, SCHEMA) == before
    assert dump(url) == whole


def query_all(url: str, script: str) -> None:
    """Run a script as psql does: several statements, each in a transaction of its own."""
    subprocess.run(
        [installation() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"],
        input=script,
        text=True,
        check=True,
        env=os.environ | normalise_url(url).environment(),
    )


def test_restore_replaces_what_is_there(larp: Larp, saved: str) -> None:
    """Rows and tables that came after the backup go, and what was deleted comes back."""
    before = catalogue(saved, SCHEMA)
    query(saved, f"DELETE FROM {SCHEMA}.hero")
    query(saved, f"CREATE TABLE {SCHEMA}.since (id int)")
    others = dump(saved, "--schema=others")

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.document["changed"] is True
    assert "since" in {table["name"] for table in outcome.result["replaced"]}
    assert catalogue(saved, SCHEMA) == before
    assert dump(saved, "--schema=others") == others


def test_what_was_there_is_backed_up_first(larp: Larp, saved: str, larp_home: Path) -> None:
    """The command that is told goes back to what was there before."""
    query(saved, f"DELETE FROM {SCHEMA}.hero WHERE id > 3")
    before = catalogue(saved, SCHEMA)

    outcome = larp("db", "restore", "schema.dump", "--json", "--confirm", name_of(saved))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert Path(outcome.result["backup"]["path"]).parent == larp_home / "backups"
    command = outcome.result["restore_command"]
    assert f"note: to go back: {command}" in outcome.stderr
    assert catalogue(saved, SCHEMA) != before
    assert larp(*shlex.split(command)[1:]).exit_code == ExitCode.OK
    assert catalogue(saved, SCHEMA) == before


def test_a_database_without_the_schema_gets_it(larp: Larp, use: Use, saved: str) -> None:
    """An empty database takes the backup as well; there is nothing to back up before."""
    before = catalogue(saved, SCHEMA)
    query(saved, f"DROP SCHEMA {SCHEMA} CASCADE")

    outcome = larp("db", "restore", "schema.dump", "--json", "--confirm", name_of(saved))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert (outcome.result["backup"], outcome.result["restore_command"]) == (None, None)
    assert catalogue(saved, SCHEMA) == before


def test_the_environment_is_that_of_the_settings_not_of_the_dump(
    larp: Larp, full: str, use: Use, server: Server
) -> None:
    """A backup of production, restored in development, makes no production database."""
    stamp = f"SELECT value FROM {SCHEMA}.larp_metadata WHERE key = 'environment'"
    query(full, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    assert larp("db", "backup", "schema.dump", env=PRODUCTION).exit_code == ExitCode.OK
    query(full, f"UPDATE {SCHEMA}.larp_metadata SET value = 'development'")

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert value(full, stamp) == "development"
    assert larp("db", "status").exit_code == ExitCode.OK


@pytest.mark.parametrize("schema", ["public", "theirs"])
@pytest.mark.parametrize("whole", [False, True], ids=["larp's", "pg_dump's"])
def test_a_foreign_project_is_restored_where_it_is(
    larp: Larp,
    build: Build,
    use: Use,
    every_server: Server,
    tmp_path: Path,
    schema: str,
    whole: bool,
) -> None:
    """Its schema comes back, ``public`` too, also from a dump of the whole database."""
    url = use(every_server.url(every_server.create()))
    options = ""
    if schema != "public":
        query(url, f"CREATE SCHEMA {schema}")
        options = f'version_table_schema="{schema}"'
    project = build(options=options)
    project.revision("r1", sql(f"CREATE TABLE {schema}.hero AS SELECT 1 AS id"))
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK
    before = catalogue(url, schema)
    if whole:
        query(url, "DROP SCHEMA IF EXISTS larp_bookkeeping CASCADE")
        pg_dump(url, tmp_path / "schema.dump")
    else:
        assert larp("db", "backup", "schema.dump", "-c", project.config).exit_code == ExitCode.OK
    query(url, f"DELETE FROM {schema}.hero")

    outcome = larp(*confirmed(url, "-c", project.config))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["current"] == ["r1"]
    after = catalogue(url, schema)
    # A schema public that was made anew has its grants spelled out.
    assert after.pop("schema")[0].split(",")[1] == before.pop("schema")[0].split(",")[1]
    assert after == before
    assert value(url, f"SELECT has_schema_privilege('pg_monitor', '{schema}', 'USAGE')") is (
        schema == "public"
    )


def test_a_dump_of_another_owner_needs_no_owner(larp: Larp, full: str, server: Server) -> None:
    """Owners and grants that do not exist here are left out on request, not by default."""
    role = pgsql.Identifier(f"gone_{name_of(full)}")
    database = name_of(full)
    server.execute(pgsql.SQL("CREATE ROLE {}").format(role))
    for statement in (
        "ALTER TABLE {schema}.hero OWNER TO {role}",
        "GRANT SELECT ON {schema}.larp_metadata TO {role}",
    ):
        schema = pgsql.Identifier(SCHEMA)
        server.execute(pgsql.SQL(statement).format(schema=schema, role=role), database)
    administrator = psycopg.conninfo.conninfo_to_dict(server.administrator)
    subprocess.run(
        [installation() / "pg_dump", "-Fc", f"--schema={SCHEMA}", "--file=schema.dump"],
        env={**os.environ, "PGDATABASE": database, **connection_of(administrator)},
        check=True,
    )
    server.execute(pgsql.SQL("DROP OWNED BY {}").format(role), database)
    server.execute(pgsql.SQL("DROP ROLE {}").format(role))

    refused = larp(*confirmed(full))
    done = larp(*confirmed(full, *shlex.split(hint_of(refused))[-2:]))

    assert refused.exit_code == ExitCode.FAILURE
    assert "does not exist; nothing was changed" in refused.document["error"]["message"]
    assert done.exit_code == ExitCode.OK, done.stdout
    assert value(full, "SELECT tableowner FROM pg_tables WHERE tablename = 'hero'") == OWNER


def hint_of(outcome: Any) -> str:
    """Read the hint of an error."""
    hint: str = outcome.document["error"]["hint"]
    return hint


def connection_of(parameters: dict[str, Any]) -> dict[str, str]:
    """Turn libpq's parameters into its environment variables."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return {names[name]: str(value) for name, value in parameters.items() if name in names}


def test_a_dump_of_a_newer_server_is_tried_on_an_older_one(
    larp: Larp, use: Use, saved: str, postgresql_15: Server
) -> None:
    """A warning says so; what both servers know is restored."""
    before = catalogue(saved, SCHEMA)
    url = use(postgresql_15.url(postgresql_15.create()))
    query(url, f"CREATE SCHEMA {SCHEMA}")

    outcome = larp(*confirmed(url))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert "warning: the backup is of PostgreSQL 18, the server is 15" in outcome.stderr
    assert catalogue(url, SCHEMA)["rows of hero"] == before["rows of hero"]


# --- guards ---------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--confirm", "wrong"), ("--confirm", "")])
def test_without_the_right_word_nothing_is_changed(
    larp: Larp, saved: str, unchanged: None, larp_home: Path, arguments: tuple[str, ...]
) -> None:
    """Off a terminal it refuses with 6; its hint, typed, does what was asked for."""
    outcome = larp("db", "restore", "schema.dump", "--json", "--no-owner", *arguments)

    assert outcome.exit_code == ExitCode.REFUSED
    path = Path("schema.dump").absolute()
    assert hint_of(outcome) == (f"larp db restore {path} --no-owner --confirm {name_of(saved)}")
    assert f"schema {SCHEMA} of database {name_of(saved)}" in outcome.stderr
    assert f"will be replaced by {path}" in outcome.stderr
    assert not (larp_home / "backups").exists()


def test_production_asks_for_more(larp: Larp, saved: str) -> None:
    """--yes and the name are not enough where the database is production's."""
    query(saved, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")

    stray = larp(*confirmed(saved, "--yes", "--allow-production"))
    refused = larp(*confirmed(saved, "--yes"), env=PRODUCTION)
    done = larp(*confirmed(saved, "--allow-production"), env=PRODUCTION)

    assert stray.exit_code == refused.exit_code == ExitCode.REFUSED
    assert "is stamped production" in stray.document["error"]["message"]
    assert "--allow-production" in hint_of(refused)
    assert done.exit_code == ExitCode.OK, done.stdout
    assert value(saved, f"SELECT value FROM {SCHEMA}.larp_metadata") == "production"


def test_at_a_terminal_the_name_is_typed(saved: str) -> None:
    """What will be lost is shown, and the database's name goes on."""
    query(saved, f"DELETE FROM {SCHEMA}.hero")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "larp_cli", "db", "restore", "schema.dump"],
        env={**os.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )
    child.expect("will be replaced by")
    child.expect("Type the database's name")
    child.sendline(name_of(saved))
    child.expect("to go back")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == ExitCode.OK
    assert value(saved, f"SELECT count(*) FROM {SCHEMA}.hero") == 9


# --- files that are no backup ---------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, ExitCode.CONFIGURATION, "does not exist"),
        (b"", ExitCode.FAILURE, "is not an archive"),
        (b"SELECT 1;\n", ExitCode.FAILURE, "is not an archive"),
        (b"PGDMP\x01\x0e\x00\x04\x08\x01", ExitCode.FAILURE, "is not an archive"),
    ],
)
def test_a_file_that_is_no_backup_is_told(
    larp: Larp, full: str, unchanged: None, content: bytes | None, code: ExitCode, said: str
) -> None:
    """Missing, empty, SQL or a bare head: nothing is touched, and nobody is asked."""
    if content is not None:
        Path("schema.dump").write_bytes(content)

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == code, outcome.stdout
    assert said in outcome.document["error"]["message"]
    assert hint_of(outcome)


def test_a_directory_is_no_backup(larp: Larp, full: str) -> None:
    """A directory is told as such."""
    outcome = larp("db", "restore", ".", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "is a directory" in outcome.document["error"]["message"]


@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_a_damaged_backup_is_found_out_before_anything_is_touched(
    larp: Larp, saved: str, damage: str
) -> None:
    """The table of contents is at the beginning and whole; the rest is read as well."""
    query(
        saved,
        f"INSERT INTO {SCHEMA}.hero (name) SELECT md5(n::text) FROM generate_series(1, 5000) n",
    )
    assert larp("db", "backup", "schema.dump", "--force").exit_code == ExitCode.OK
    path = Path("schema.dump")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) * 2 // 3 :]
    else:
        data[len(data) // 2 : len(data) // 2 + 64] = b"\0" * 64
    path.write_bytes(data)
    before = dump(saved)

    with held_mutex(saved):
        outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    assert "is truncated or damaged" in outcome.document["error"]["message"]
    assert dump(saved) == before


def test_the_backup_of_another_schema_is_refused(
    larp: Larp, full: str, unchanged: None, tmp_path: Path
) -> None:
    """Both schemas are named, and the hint says how to restore the other."""
    pg_dump(full, tmp_path / "schema.dump", "--schema=others")

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == ExitCode.CONFIGURATION
    message = outcome.document["error"]["message"]
    assert message.endswith(f"holds the schema others, not {SCHEMA}")
    assert hint_of(outcome).startswith("DATABASE_SCHEMA=others larp db restore ")


def test_a_dump_of_several_schemas_is_refused(
    larp: Larp, full: str, unchanged: None, tmp_path: Path
) -> None:
    """Restoring touches nothing outside the schema, so the dump must not hold anything else."""
    pg_dump(full, tmp_path / "schema.dump")

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert f"holds more than the schema {SCHEMA}: " in outcome.document["error"]["message"]
    assert "others" in outcome.document["error"]["message"]


# --- all or nothing -------------------------------------------------------------------


def test_a_statement_that_fails_in_the_middle_undoes_all(
    larp: Larp, saved: str, tmp_path: Path
) -> None:
    """The catalogue is what it was when a constraint of the dump does not hold."""
    query(saved, f"CREATE TABLE {SCHEMA}.last (id int)")
    query(
        saved,
        f"CREATE FUNCTION {SCHEMA}.fails(int) RETURNS bool LANGUAGE plpgsql AS"
        f" 'BEGIN RETURN to_regclass(''others.kept'') IS NOT NULL; END'",
    )
    query(saved, f"ALTER TABLE {SCHEMA}.last ADD CHECK ({SCHEMA}.fails(id))")
    query(saved, f"INSERT INTO {SCHEMA}.last VALUES (1)")
    assert larp("db", "backup", "schema.dump", "--force").exit_code == ExitCode.OK
    query(saved, "DROP TABLE others.kept")
    query(saved, f"CREATE TABLE {SCHEMA}.since AS SELECT 1 AS id")
    before, whole = catalogue(saved, SCHEMA), dump(saved)

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    message = outcome.document["error"]["message"]
    assert re.search("violates check constraint.*; nothing was changed$", message), message
    assert catalogue(saved, SCHEMA) == before
    assert dump(saved) == whole


def test_a_pg_restore_that_dies_in_the_middle_undoes_all(
    larp: Larp, saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What psql got until then is not committed: it never gets the COMMIT."""
    fake = tmp_path / "bin" / "pg_restore"
    fake.parent.mkdir()
    fake.write_text(
        f"#!{sys.executable}\n"
        "import os, subprocess, sys\n"
        f"command = [{str(installation() / 'pg_restore')!r}, *sys.argv[1:]]\n"
        "if '--file=-' not in sys.argv:\n"
        "    os.execv(command[0], command)\n"
        "script = subprocess.run(command, capture_output=True).stdout\n"
        "os.write(1, script[:script.index(b'FROM stdin;') + 40])\n"
        "print('pg_restore: error: it died', file=sys.stderr)\n"
        "sys.exit(1)\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    before = dump(saved)

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    message = outcome.document["error"]["message"]
    assert message == "pg_restore failed: pg_restore: error: it died; nothing was changed"
    assert dump(saved) == before


@pytest.fixture
def slow(larp: Larp, saved: str) -> str:
    """URL of a database whose backup takes some seconds to restore, near its end."""
    query(
        saved,
        f"CREATE FUNCTION {SCHEMA}.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN IF $1 = 1 AND current_setting(''application_name'') = ''larp''"
        " THEN PERFORM pg_sleep(5); END IF; RETURN $1; END'",
    )
    query(saved, f"CREATE INDEX slow ON {SCHEMA}.hero ({SCHEMA}.slow(id))")
    assert larp("db", "backup", "schema.dump", "--force").exit_code == ExitCode.OK
    return saved


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_signal_in_the_middle_undoes_all(
    larp_process: LarpProcess, slow: str, number: signal.Signals, code: int
) -> None:
    """The server's statement ends soon after larp does, and nothing is changed."""
    before, whole = catalogue(slow, SCHEMA), dump(slow)

    with larp_process.start(*confirmed(slow)) as process:
        until(lambda: running(slow, "CREATE INDEX slow"))
        process.send_signal(number)
        process.communicate(timeout=30)
    until(lambda: not running(slow, "CREATE INDEX slow"))

    assert process.returncode == code
    assert catalogue(slow, SCHEMA) == before
    assert dump(slow) == whole


def test_an_administrator_who_ends_the_session_undoes_all(
    larp_process: LarpProcess, slow: str, server: Server
) -> None:
    """The server's own words are told, under the code for a database that went away."""
    before = dump(slow)

    with larp_process.start(*confirmed(slow)) as process:
        until(lambda: running(slow, "CREATE INDEX slow"))
        (pid,) = running(slow, "CREATE INDEX slow")
        server.execute(f"SELECT pg_terminate_backend({pid})")
        stdout, _ = process.communicate(timeout=30)

    assert process.returncode == ExitCode.UNREACHABLE, stdout
    assert dump(slow) == before


@pytest.mark.parametrize(
    "hanging",
    [
        f"CREATE VIEW others.hanging AS SELECT * FROM {SCHEMA}.hero",
        f"ALTER TABLE others.kept ADD hero int REFERENCES {SCHEMA}.hero",
    ],
)
def test_what_hangs_on_the_schema_from_outside_is_not_dropped_with_it(
    larp: Larp, saved: str, hanging: str
) -> None:
    """It is named, and refused with 6."""
    query(saved, hanging)
    before = dump(saved)

    outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.REFUSED, outcome.stdout
    message = outcome.document["error"]["message"]
    assert "would also drop" in message and message.endswith("; nothing was changed")
    assert dump(saved) == before


def test_a_table_in_use_is_waited_for_no_longer_than_the_lock_timeout(
    larp: Larp, saved: str, unchanged: None
) -> None:
    """A session that reads a table keeps it: exit 7, and nothing is changed."""
    with psycopg.connect(saved) as application:
        application.execute(f"SELECT * FROM {SCHEMA}.hero")
        outcome = larp(*confirmed(saved), env={"MIGRATION_LOCK_TIMEOUT": "0.2"})

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stdout
    assert outcome.document["error"]["message"].endswith("; nothing was changed")


def test_a_migrator_at_work_is_not_disturbed(larp: Larp, saved: str, unchanged: None) -> None:
    """While another holds the mutex nothing is backed up or replaced."""
    with held_mutex(saved):
        outcome = larp(*confirmed(saved), env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.LOCKED


def test_if_the_backup_before_fails_nothing_is_replaced(
    larp: Larp, saved: str, unchanged: None, tmp_path: Path
) -> None:
    """No place for what is there means that it stays there."""
    (tmp_path / "file").write_text("")
    arguments = ("db", "restore", "schema.dump", "--json", "--confirm", name_of(saved))

    outcome = larp(*arguments, env={"LARP_HOME": str(tmp_path / "file" / "home")})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert has(saved, f"{SCHEMA}.hero")
