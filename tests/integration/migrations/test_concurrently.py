"""What CONCURRENTLY leaves behind when it fails: found, told, and mended where that is sure."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
import pytest

from larp_cli.bookkeeping.metadata import write_metadata
from larp_cli.bookkeeping.tables import Bookkeeping, VersionTable
from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import query, running, until, value
from tests.processes import PATIENCE
from tests.projects import ForeignProject, foreign_project, sql

INVALID = (
    "SELECT array_agg(indexrelid::regclass::text ORDER BY 1) FROM pg_index WHERE NOT indisvalid"
)
PEOPLE = sql("CREATE TABLE people (name text)", "INSERT INTO people VALUES ('a'), ('a')")
NO_TWINS = "DELETE FROM people WHERE ctid = (SELECT max(ctid) FROM people)"


def outside(*statements: str) -> str:
    """Write a revision that runs statements outside of its transaction."""
    lines = "\n".join(f"    op.execute({statement!r})" for statement in statements)
    return f"with op.get_context().autocommit_block():\n{lines}"


def project_of(directory: Path, *upgrades: str) -> ForeignProject:
    """Build a project of these revisions."""
    project = foreign_project(directory / "theirs")
    project.chain(*upgrades)
    return project


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS /* big */ people_name ON people (name)",
        "create unique index -- at night\n concurrently people_name on only public . people (name)",
        'CREATE UNIQUE INDEX CONCURRENTLY "people_name"on people (name)',
        'CREATE UNIQUE INDEX CONCURRENTLY people_name ON "public"."people" USING btree (name)',
        "CREATE UNIQUE INDEX CONCURRENTLY ON people (name)",
        'CREATE UNIQUE INDEX CONCURRENTLY U&"p\\00e9ople" ON people (name)',
        "CREATE UNIQUE INDEX CONCURRENTLY people_name ON people (name) WHERE name NOT LIKE 'x%'",
        "/* a */ /* b */ -- c\n/* d */ CREATE /* e */ UNIQUE /* f */ /* g */ INDEX /* h */"
        " CONCURRENTLY /* j */ /* k */ people_name /* l */ ON /* n */ /* o */ people (name)",
    ],
)
def test_every_spelling_of_an_index_is_built_anew(
    larp: Larp, tmp_path: Path, database: str, statement: str
) -> None:
    """Comments, quotes, schemas and indexes without a name: what failed is valid in the end."""
    project = project_of(tmp_path, PEOPLE, outside(statement))
    arguments = ("db", "migrate", "-c", project.config)
    environment = {"DATABASE_URL": database}
    first = larp(*arguments, env=environment)
    query(database, NO_TWINS)
    second = larp(*arguments, env=environment)

    assert first.exit_code == ExitCode.MIGRATION_FAILED
    assert "rebuilt by the next run" in first.stderr
    assert second.exit_code == ExitCode.OK, second.stderr
    assert value(database, INVALID) is None
    assert value(database, "SELECT count(*) FROM pg_indexes WHERE tablename = 'people'") == 1


def test_a_table_whose_name_needs_quotes_is_found(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """Blanks and signs of comments within quotes belong to the name."""
    table = '"Order Items -- of /* all */ days"'
    project = project_of(
        tmp_path,
        sql(f"CREATE TABLE {table} (n int)", f"INSERT INTO {table} VALUES (1), (1)"),
        outside(f'CREATE UNIQUE INDEX CONCURRENTLY "My Index" ON public.{table} (n)'),
    )
    environment = {"DATABASE_URL": database}
    first = larp("db", "migrate", "-c", project.config, env=environment)
    query(database, f"DELETE FROM {table} WHERE ctid = (SELECT max(ctid) FROM {table})")
    second = larp("db", "migrate", "-c", project.config, env=environment)

    assert first.exit_code == ExitCode.MIGRATION_FAILED
    assert second.exit_code == ExitCode.OK, second.stderr
    assert value(database, INVALID) is None


def test_an_index_that_stays_invalid_is_told_at_the_end(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """What a run leaves invalid though all went well is a warning, and how to mend it."""
    failing = outside("CREATE UNIQUE INDEX CONCURRENTLY people_name ON people (name)")
    project = project_of(tmp_path, PEOPLE, failing)
    environment = {"DATABASE_URL": database}
    larp("db", "migrate", "-c", project.config, env=environment)
    project.revision("r2", sql("CREATE TABLE other ()"), after="r1")
    outcome = larp("db", "migrate", "-c", project.config, env=environment)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "the index public.people_name is invalid" in outcome.stderr
    assert "REINDEX INDEX CONCURRENTLY public.people_name" in outcome.stderr


def test_a_revision_that_is_half_committed_promises_nothing(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """Of two indexes the second fails: the first is there, and the hint says what that means."""
    project = project_of(
        tmp_path,
        PEOPLE,
        outside(
            "CREATE INDEX CONCURRENTLY first ON people (name)",
            "CREATE UNIQUE INDEX CONCURRENTLY second ON people (name)",
        ),
    )
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "left invalid: public.second" in outcome.stderr
    assert "rebuilt" not in outcome.stderr
    assert "IF NOT EXISTS" in outcome.stderr


def test_what_a_failed_reindex_leaves_is_told_with_its_remedy(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """The copy that REINDEX was building is to be dropped."""
    query(database, "CREATE FUNCTION broken(text) RETURNS text IMMUTABLE LANGUAGE sql RETURN $1")
    query(database, "CREATE TABLE people (name text)")
    query(database, "INSERT INTO people VALUES ('a')")
    query(database, "CREATE INDEX people_name ON people (broken(name))")
    query(
        database,
        "CREATE OR REPLACE FUNCTION broken(text) RETURNS text IMMUTABLE LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'no'; END $$",
    )
    project = project_of(tmp_path, outside("REINDEX INDEX CONCURRENTLY people_name"))
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "DROP INDEX CONCURRENTLY public.people_name_ccnew" in outcome.stderr


def part(partition: str) -> str:
    """Write a revision that creates a table with one partition."""
    return sql(
        "CREATE TABLE events (at int) PARTITION BY RANGE (at)",
        f"CREATE TABLE {partition} PARTITION OF events FOR VALUES FROM (0) TO (10)",
    )


def detach(partition: str) -> str:
    """Write a revision that detaches that partition."""
    return outside(f"ALTER TABLE events DETACH PARTITION {partition} CONCURRENTLY")


def test_detaching_a_partition_never_makes_the_application_wait(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """It locks the partition in the end: for the lock timeout, and again, until it succeeds."""
    project = project_of(tmp_path, part("events_1"), detach("events_1"))
    environment = {
        "DATABASE_URL": database,
        "MIGRATION_LOCK_TIMEOUT": "0.3",
        "MIGRATION_LOCK_RETRIES": "50",
    }
    assert larp_process("db", "migrate", "r1", "-c", project.config, env=environment).exit_code == 0
    longest = 0.0
    with psycopg.connect(database) as holder:
        holder.execute("SELECT count(*) FROM events_1")
        process = larp_process.start("db", "migrate", "-c", project.config, env=environment)
        until(lambda: running(database, "DETACH PARTITION"))
        with psycopg.connect(database, autocommit=True) as application:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                began = time.monotonic()
                application.execute("SELECT count(*) FROM events_1")
                longest = max(longest, time.monotonic() - began)
                time.sleep(0.01)
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == ExitCode.OK, errors
    assert longest < 3.0  # of the five seconds that the partition is in use
    assert (
        value(database, "SELECT relispartition FROM pg_class WHERE relname = 'events_1'") is False
    )


def test_a_build_that_nobody_lets_finish_names_who(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """Its own timeout ends it; the setting and the session that held it up are named."""
    project = project_of(tmp_path, PEOPLE, outside("CREATE INDEX CONCURRENTLY ON people (name)"))
    environment = {"DATABASE_URL": database, "MIGRATION_CONCURRENTLY_TIMEOUT": "2"}
    larp("db", "migrate", "r1", "-c", project.config, env=environment)
    with psycopg.connect(database, application_name="report") as holder:
        holder.execute("LOCK TABLE people IN ROW EXCLUSIVE MODE")
        outcome = larp("db", "migrate", "-c", project.config, "--json", env=environment)

    assert outcome.exit_code == ExitCode.LOCKED
    assert "last blocked by pid" in outcome.document["error"]["message"]
    assert "(report, user" in outcome.document["error"]["message"]
    assert "raise MIGRATION_CONCURRENTLY_TIMEOUT" in outcome.document["error"]["hint"]


def test_a_full_disk_is_not_blamed_on_the_revision(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """What the server has run out of is to be mended there."""
    full = "DO $$ BEGIN RAISE EXCEPTION 'No space left' USING ERRCODE = '53100'; END $$"
    outcome = larp(
        *("db", "migrate", "-c", project_of(tmp_path, sql(full)).config, "--json"),
        env={"DATABASE_URL": database},
    )

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert outcome.document["error"]["hint"].startswith("free disk space or memory on the server")


@pytest.mark.parametrize("partition", ["events_1", 'public . "50 % off"'])
def test_an_interrupted_detaching_is_finished_by_the_next_run(
    larp_process: LarpProcess, tmp_path: Path, database: str, partition: str
) -> None:
    """A partition that is pending detach is detached, not tripped over."""
    project = project_of(tmp_path, part(partition), detach(partition))
    environment = {"DATABASE_URL": database, "MIGRATION_LOCK_TIMEOUT": "30"}
    larp_process("db", "migrate", "r1", "-c", project.config, env=environment)
    pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
    with psycopg.connect(database) as holder:
        holder.execute("SELECT count(*) FROM events")
        process = larp_process.start("db", "migrate", "-c", project.config, env=environment)
        until(lambda: value(database, pending) == 1)
        process.kill()
        process.communicate()
        until(lambda: not running(database, "DETACH PARTITION"))
    outcome = larp_process("db", "migrate", "-c", project.config, env=environment)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert value(database, pending) == 0


def test_many_projects_may_begin_their_books_at_once(database: str) -> None:
    """They share a schema and its tables, and no mutex."""
    books = Bookkeeping("larp_bookkeeping", VersionTable("public"))
    failures: list[Exception] = []
    together = threading.Barrier(8)

    def begin(number: int) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            together.wait()
            try:
                write_metadata(connection, books, f"key {number}", "x")
            except psycopg.Error as error:
                failures.append(error)

    for _ in range(5):
        query(database, "DROP SCHEMA IF EXISTS larp_bookkeeping CASCADE")
        threads = [threading.Thread(target=begin, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert value(database, "SELECT count(*) FROM larp_bookkeeping.larp_metadata") == 8
