"""``larp db plan``: what would run, on which tables, and that planning only looks."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import REVISIONS, SCHEMA, dump, held_mutex, query
from tests.integration.cli.db.conftest import Use
from tests.plans import CONCURRENTLY, plan
from tests.projects import ForeignProject, sql
from tests.servers import PASSWORD, Server

# --- what would run -------------------------------------------------------------------


def test_at_head_there_is_nothing_to_plan(larp: Larp, ready: str) -> None:
    """A database at head ends in 0, with a sentence and no revisions."""
    outcome = larp("db", "plan")

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stdout.startswith("nothing to do: ")
    assert plan(larp) == []


def test_our_own_revisions_are_planned_for_an_empty_database(larp: Larp, empty: str) -> None:
    """The SQL of each is there, and the database is as empty as before."""
    before = dump(empty)

    revision, *further = plan(larp)

    assert [item["revision"] for item in (revision, *further)] == list(REVISIONS)
    assert f"{SCHEMA}.set_updated_at()" in revision["sql"]
    assert (revision["inspects_database"], revision["incomplete"]) == (False, None)
    assert revision["hazards"] == []
    assert "INTO larp_manager.alembic_version" not in revision["sql"]
    assert dump(empty) == before


def test_the_sql_is_what_a_migration_runs(
    larp: Larp, hero_project: ForeignProject, empty: str, use: Use, server: Server
) -> None:
    """Run by hand on a copy, the plan's statements come to the same database."""
    hero_project.revision(
        "all",
        """
        op.create_table(
            "villain",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("mood", sa.Enum("calm", "cross", name="mood"), comment="50% o'clock"),
        )
        villain = sa.table("villain", sa.column("id", sa.Integer), sa.column("mood", sa.Text))
        op.execute(villain.insert().values(id=7))
        hero = sa.table("hero", sa.column("id", sa.Integer), sa.column("name", sa.Text))
        op.bulk_insert(hero, [
            {"id": 2001, "name": "100% o'clock"}, {"id": 2002, "name": "a\\\\b"},
        ])
        op.execute("UPDATE hero SET name = 'like 50%' WHERE name LIKE 'n%'")
        connection = op.get_bind()
        connection.execute(sa.text("UPDATE hero SET name = :n WHERE id = :i"), {"n": "x'y", "i": 5})
        connection.execute(sa.text("UPDATE hero SET age = :a WHERE id = :i"),
                           [{"a": 1, "i": 6}, {"a": 2, "i": 7}])
        connection.execute(sa.insert(hero), [{"id": 4001, "name": "a"}, {"id": 4002, "name": "b"}])
        with op.get_context().autocommit_block():
            op.create_index("ix_hero_name", "hero", ["name"], postgresql_concurrently=True)
        op.alter_column("hero", "name", nullable=False)
        """,
        after="hero",
    )
    name = empty.rpartition("/")[2]
    copy = server.url(server.create(name))

    (revision,) = plan(larp)
    assert revision["incomplete"] is None
    with psycopg.connect(copy, autocommit=True) as connection:
        for statement in revision["statements"]:
            connection.execute(statement["sql"])
    outcome = larp("db", "migrate", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    parts = ("--exclude-schema=larp_bookkeeping", "--exclude-table=alembic_version")
    by_hand, migrated = (sorted(dump(url, *parts).splitlines()) for url in (copy, empty))
    assert by_hand == migrated  # as sets: rows lie where there was room


def test_the_plan_begins_where_the_database_is_and_ends_where_it_is_told(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """A target limits the plan as it limits a migration."""
    hero_project.revision("a1", sql("SELECT 1"), after="hero")
    hero_project.revision("b2", sql("SELECT 2"), after="a1")

    assert [item["revision"] for item in plan(larp)] == ["a1", "b2"]
    assert [item["revision"] for item in plan(larp, "+1")] == ["a1"]
    assert [item["revision"] for item in plan(larp, "a1")] == ["a1"]
    assert plan(larp, "hero") == []
    outcome = larp("db", "plan", "nowhere", "--json")
    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "nowhere" in outcome.document["error"]["message"]


def test_with_several_heads_all_are_planned(larp: Larp, hero_project: ForeignProject) -> None:
    """Two branches are two heads, and the plan goes up to both."""
    hero_project.revision("left", sql("SELECT 1"), after="hero")
    hero_project.revision("right", sql("SELECT 2"), after="hero")

    assert {item["revision"] for item in plan(larp)} == {"left", "right"}


def test_a_database_that_is_ahead_cannot_be_planned_for(larp: Larp, ready: str) -> None:
    """Exit 4 names the revision that is unknown here."""
    query(ready, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")

    outcome = larp("db", "plan", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "fff999" in outcome.document["error"]["message"]


def test_what_runs_outside_of_the_transaction_is_marked(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """Within an autocommit_block nothing is rolled back, and the operator has to see it."""
    hero_project.revision(
        "ix", f"{sql('SELECT 1')}\n{CONCURRENTLY}\n{sql('SELECT 2')}", after="hero"
    )

    (revision,) = plan(larp)
    shown = larp("db", "plan").stdout

    assert [item["in_transaction"] for item in revision["statements"]] == [True, False, True]
    assert "BEGIN" not in revision["sql"]
    assert "COMMIT" not in revision["sql"]
    outside = shown.index("-- outside the transaction")
    assert outside < shown.index("CONCURRENTLY") < shown.index("-- in the transaction")


def test_an_empty_revision_runs_no_sql(larp: Larp, hero_project: ForeignProject) -> None:
    """A merge point is complete, and says that it runs nothing."""
    hero_project.revision("merge", "pass", after="hero")

    (revision,) = plan(larp)

    assert (revision["sql"], revision["incomplete"]) == ("", None)
    assert "-- no SQL" in larp("db", "plan").stdout


# --- tables ---------------------------------------------------------------------------


def test_the_tables_that_it_touches_are_measured(
    larp: Larp, hero_project: ForeignProject, empty: str
) -> None:
    """Rows and bytes as the server estimates them, and unknown where it does not."""
    query(
        empty,
        "CREATE TABLE fresh (id int);"
        "CREATE TABLE parts (id int) PARTITION BY LIST (id);"
        "CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);"
        "CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);"
        "INSERT INTO parts SELECT 1 + n % 2 FROM generate_series(1, 500) n;"
        "CREATE INDEX ix_age ON hero (age);"
        "ANALYZE parts; ANALYZE hero",
    )
    hero_project.revision(
        "touch",
        sql(
            "DROP INDEX ix_age",
            "ALTER TABLE fresh ADD COLUMN n int",
            "UPDATE parts SET id = id",
            "CREATE TABLE new (hero_id int REFERENCES hero (id))",
            "INSERT INTO gone VALUES (1)",
        ),
        after="hero",
    )

    (revision,) = plan(larp)

    tables = {table["name"]: table for table in revision["tables"]}
    assert set(tables) == {"public.hero", "public.fresh", "public.parts"}
    assert tables["public.hero"]["estimated_rows"] == 1000
    assert tables["public.hero"]["estimated_bytes"] > 1000 * 28
    assert tables["public.parts"]["estimated_rows"] == 500
    assert tables["public.parts"]["estimated_bytes"] > 0
    assert tables["public.fresh"]["estimated_rows"] is None
    assert tables["public.fresh"]["estimated_bytes"] is None
    shown = larp("db", "plan").stdout
    assert "public.hero\t1,000\t" in shown
    assert "public.fresh\tunknown\tunknown" in shown


# --- looking only ---------------------------------------------------------------------


def test_a_plan_waits_for_no_lock_and_changes_nothing(
    larp: Larp, hero_project: ForeignProject, empty: str
) -> None:
    """Neither another migrator nor a locked table stands in its way."""
    hero_project.revision("drop", sql("DROP TABLE hero", "CREATE TABLE other ()"), after="hero")
    before = dump(empty)

    with held_mutex(empty, "public"), psycopg.connect(empty) as holder:
        holder.execute("LOCK TABLE hero IN ACCESS EXCLUSIVE MODE")
        outcome = larp("db", "plan", "--json", "--timeout", "20")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["revisions"][0]["tables"][0]["estimated_rows"] == 1000
    assert dump(empty) == before


@pytest.mark.parametrize("where", ["at home", "elsewhere"])
def test_a_role_that_may_only_read_can_plan(
    larp: Larp, use: Use, server: Server, hero_project: ForeignProject, empty: str, where: str
) -> None:
    """In a session that may not write, without rights on the tables themselves."""
    hero_project.revision("drop", sql("DROP TABLE hero"), after="hero")
    if where == "at home":
        server.execute("CREATE ROLE planner LOGIN PASSWORD 'sesame'")
        use(server.url(server.create(), user="planner", password="sesame"))
        arguments = ["-c", str(Path(__file__).parents[4] / "alembic.ini")]
    else:
        server.execute("CREATE ROLE planner LOGIN PASSWORD 'sesame'")
        query(empty, "GRANT SELECT ON alembic_version TO planner")
        use(server.url(empty.rpartition("/")[2], user="planner", password="sesame"))
        arguments = []
    server.execute("ALTER ROLE planner SET default_transaction_read_only = on")
    try:
        outcome = larp("db", "plan", "--json", *arguments)
    finally:
        server.execute("DROP OWNED BY planner", empty.rpartition("/")[2])
        server.execute("DROP ROLE planner")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert all(revision["sql"] for revision in outcome.result["revisions"])


def test_a_plan_shows_no_password(larp: Larp, hero_project: ForeignProject) -> None:
    """Not even where a revision wrote it into its SQL."""
    secret = PASSWORD.replace("'", "''")
    hero_project.revision(
        "role", f"op.execute(\"COMMENT ON TABLE hero IS '{secret}'\")", after="hero"
    )

    outcome = larp("db", "plan", "--debug")

    assert "COMMENT ON TABLE hero" in outcome.stdout
    assert PASSWORD not in outcome.stdout + outcome.stderr
