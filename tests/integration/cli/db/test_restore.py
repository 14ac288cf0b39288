"""``larp db restore``: what was backed up comes back, and replaces what is there."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql as pgsql

from larp_cli.errors import ExitCode
from larp_cli.postgres.embedded import installation
from larp_cli.postgres.url import normalise_url
from tests.catalogue import catalogue
from tests.conftest import Larp
from tests.databases import HEAD, SCHEMA, dump, name_of, query, value
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import sql
from tests.restoring import confirmed, hint_of, pg_dump
from tests.servers import OWNER, Server
from tests.settings import IN_PRODUCTION

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


def query_all(url: str, script: str) -> None:
    """Run a script as psql does: several statements, each in a transaction of its own."""
    subprocess.run(
        [installation() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"],
        input=script,
        text=True,
        check=True,
        env=os.environ | normalise_url(url).environment(),
    )


def connection_of(parameters: dict[str, Any]) -> dict[str, str]:
    """Turn libpq's parameters into its environment variables."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return {names[name]: str(value) for name, value in parameters.items() if name in names}


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
    assert f"note: to undo: {command}" in outcome.stderr
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
    assert larp("db", "backup", "schema.dump", env=IN_PRODUCTION).exit_code == ExitCode.OK
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


def test_a_dump_of_a_newer_server_is_tried_on_an_older_one(
    larp: Larp, use: Use, saved: str, postgresql_15: Server
) -> None:
    """A warning says so; what both servers know is restored."""
    before = catalogue(saved, SCHEMA)
    url = use(postgresql_15.url(postgresql_15.create()))
    query(url, f"CREATE SCHEMA {SCHEMA}")

    outcome = larp(*confirmed(url))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert "warning: the backup comes from PostgreSQL 18, the server is 15" in outcome.stderr
    assert catalogue(url, SCHEMA)["rows of hero"] == before["rows of hero"]
