"""``larp db plan``: what would run, and what may go wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from larp_cli.errors import ExitCode
from larp_cli.migrations import squawk
from tests.conftest import Larp, Outcome
from tests.databases import HEAD, SCHEMA, dump, held_mutex, query
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import ForeignProject, sql
from tests.servers import PASSWORD, Server

HERO = sql(
    "CREATE TABLE hero (id int PRIMARY KEY, name text, age int)",
    "INSERT INTO hero SELECT n, 'n', n FROM generate_series(1, 1000) n",
    "ANALYZE hero",
)
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index("ix_hero_name", "hero", ["name"], postgresql_concurrently=True)
"""


@pytest.fixture
def project(
    build: Build, empty: str, larp: Larp, monkeypatch: pytest.MonkeyPatch
) -> ForeignProject:
    """A project whose first revision made and filled a table."""
    project = build()
    monkeypatch.setenv("ALEMBIC_CONFIG", project.config)
    project.revision("hero", HERO)
    assert larp("db", "migrate").exit_code == ExitCode.OK
    return project


def plan(larp: Larp, *arguments: str) -> list[dict[str, Any]]:
    """Ask for a plan that has to succeed; returns its revisions."""
    outcome = larp("db", "plan", "--json", *arguments)
    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.document["changed"] is False
    revisions: list[dict[str, Any]] = outcome.result["revisions"]
    return revisions


def rules(outcome: Outcome) -> list[str]:
    """List the rules that the only revision of a plan breaks and that are not waived."""
    (revision,) = outcome.result["revisions"]
    return [hazard["rule"] for hazard in revision["hazards"] if hazard["waived"] is None]


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

    (revision,) = plan(larp)

    assert revision["revision"] == HEAD
    assert f"{SCHEMA}.set_updated_at()" in revision["sql"]
    assert (revision["inspects_database"], revision["incomplete"]) == (False, None)
    assert revision["hazards"] == []
    assert "alembic_version" not in revision["sql"]
    assert dump(empty) == before


def test_the_sql_is_what_a_migration_runs(
    larp: Larp, project: ForeignProject, empty: str, use: Use, server: Server
) -> None:
    """Run by hand on a copy, the plan's statements come to the same database."""
    project.revision(
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
    larp: Larp, project: ForeignProject
) -> None:
    """A target limits the plan as it limits a migration."""
    project.revision("a1", sql("SELECT 1"), after="hero")
    project.revision("b2", sql("SELECT 2"), after="a1")

    assert [item["revision"] for item in plan(larp)] == ["a1", "b2"]
    assert [item["revision"] for item in plan(larp, "+1")] == ["a1"]
    assert [item["revision"] for item in plan(larp, "a1")] == ["a1"]
    assert plan(larp, "hero") == []
    outcome = larp("db", "plan", "nowhere", "--json")
    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "nowhere" in outcome.document["error"]["message"]


def test_with_several_heads_all_are_planned(larp: Larp, project: ForeignProject) -> None:
    """Two branches are two heads, and the plan goes up to both."""
    project.revision("left", sql("SELECT 1"), after="hero")
    project.revision("right", sql("SELECT 2"), after="hero")

    assert {item["revision"] for item in plan(larp)} == {"left", "right"}


def test_a_database_that_is_ahead_cannot_be_planned_for(larp: Larp, ready: str) -> None:
    """Exit 4 names the revision that is unknown here."""
    query(ready, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")

    outcome = larp("db", "plan", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "fff999" in outcome.document["error"]["message"]


def test_what_runs_outside_of_the_transaction_is_marked(
    larp: Larp, project: ForeignProject
) -> None:
    """Within an autocommit_block nothing is rolled back, and the operator has to see it."""
    project.revision("ix", f"{sql('SELECT 1')}\n{CONCURRENTLY}\n{sql('SELECT 2')}", after="hero")

    (revision,) = plan(larp)
    shown = larp("db", "plan").stdout

    assert [item["in_transaction"] for item in revision["statements"]] == [True, False, True]
    assert "BEGIN" not in revision["sql"]
    assert "COMMIT" not in revision["sql"]
    outside = shown.index("-- outside the transaction")
    assert outside < shown.index("CONCURRENTLY") < shown.index("-- in the transaction")


def test_an_empty_revision_runs_no_sql(larp: Larp, project: ForeignProject) -> None:
    """A merge point is complete, and says that it runs nothing."""
    project.revision("merge", "pass", after="hero")

    (revision,) = plan(larp)

    assert (revision["sql"], revision["incomplete"]) == ("", None)
    assert "it runs no SQL" in larp("db", "plan").stdout


# --- what cannot be rendered ----------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        "op.get_bind().execute(sa.text('SELECT 1')).scalar()",
        "list(op.get_bind().execute(sa.text('SELECT 1')))",
        "op.get_bind().execute(sa.text('SELECT 1')) or 1",
        "[row for row in op.get_context().connection.execute(sa.text('SELECT 1'))]",
        "op.get_bind().scalar(sa.text('SELECT 1'))",
        "op.get_bind().exec_driver_sql('SELECT 1')",
        "sa.inspect(op.get_bind()).get_table_names()",
        "from sqlalchemy.orm import Session\nSession(op.get_bind()).execute(sa.text('SELECT 1'))",
        "try:\n    op.get_bind().scalar(sa.text('SELECT 1'))\nexcept Exception:\n    pass",
    ],
)
def test_a_revision_that_asks_the_database_is_said_to(
    larp: Larp, project: ForeignProject, question: str
) -> None:
    """What it writes before is shown, what follows is not guessed, and the plan goes on."""
    project.revision("asks", f"{sql('SELECT 41')}\n{question}", after="hero")
    project.revision("next", sql("SELECT 42"), after="asks")

    asks, following = plan(larp)

    assert asks["inspects_database"] is True
    assert "asks the database" in asks["incomplete"]
    assert asks["sql"].startswith("SELECT 41;")
    assert (following["sql"], following["incomplete"]) == ("SELECT 42;", None)
    assert f"there is more to it: {asks['incomplete']}" in larp("db", "plan").stdout


def test_a_revision_that_fails_offline_is_said_to(larp: Larp, project: ForeignProject) -> None:
    """Its error is told, and is not ours."""
    project.revision("fails", "raise RuntimeError('only on Mondays')", after="hero")

    (revision,) = plan(larp)

    assert revision["sql"] is None
    assert revision["inspects_database"] is False
    assert "RuntimeError: only on Mondays" in revision["incomplete"]


def test_parameters_that_cannot_be_rendered_are_said_to_be_so(
    larp: Larp, project: ForeignProject
) -> None:
    """A statement whose parameters would be lost is not shown without them."""
    statement = "sa.update(sa.table('hero', sa.column('id'))).values(id=sa.bindparam('x'))"
    project.revision("p", f"op.get_bind().execute({statement}, {{'x': 1}})", after="hero")

    (revision,) = plan(larp)

    assert revision["sql"] is None
    assert "parameters of Update" in revision["incomplete"]


def test_what_a_revision_prints_stays_off_stdout(larp: Larp, project: ForeignProject) -> None:
    """With --json stdout is one document, whoever prints."""
    project.revision("prints", "print('hello from a revision')", after="hero")

    outcome = larp("db", "plan", "--json")

    assert outcome.document["exit_code"] == ExitCode.OK
    assert "hello from a revision" in outcome.stderr


@pytest.mark.parametrize(
    "url",
    ["", "sqlalchemy.url = driver://user:pass@localhost/dbname", "sqlalchemy.url = sqlite://"],
)
def test_an_env_py_that_takes_its_dialect_from_the_ini_file_is_rendered(
    larp: Larp, project: ForeignProject, url: str
) -> None:
    """What `alembic init` writes needs a URL offline, be it only for the dialect."""
    project.revision("next", sql("SELECT '50%'"), after="hero")
    text = project.environment.read_text()
    assert 'dialect_name="postgresql"' in text
    project.environment.write_text(
        text.replace('dialect_name="postgresql"', 'url=config.get_main_option("sqlalchemy.url")')
    )
    ini = Path(project.config)
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\n{url}"))

    (revision,) = plan(larp)

    assert revision["sql"] == "SELECT '50%';"


def test_an_env_py_without_an_offline_mode_is_rendered_on_its_connection(
    larp: Larp, project: ForeignProject
) -> None:
    """It is handed the connection as ever, and nothing is run on it."""
    project.revision("next", sql("DROP TABLE hero"), after="hero")
    text = project.environment.read_text()
    project.environment.write_text(text.replace("if context.is_offline_mode():", "if False:"))

    (revision,) = plan(larp)

    assert revision["sql"] == "DROP TABLE hero;"
    assert revision["tables"][0]["name"] == "public.hero"


def test_an_env_py_that_refuses_to_be_offline_is_said_to(
    larp: Larp, project: ForeignProject
) -> None:
    """The pending revisions are named all the same."""
    project.revision("next", sql("SELECT 1"), after="hero")
    text = project.environment.read_text()
    refusal = 'raise RuntimeError("no offline mode")'
    project.environment.write_text(text.replace("    run_offline()\n", f"    {refusal}\n"))

    (revision,) = plan(larp)

    assert (revision["revision"], revision["sql"]) == ("next", None)
    assert "no offline mode" in revision["incomplete"]


def test_callbacks_of_an_env_py_are_left_alone(larp: Larp, build: Build, empty: str) -> None:
    """What it does after each revision is done when a revision was run, and only then."""
    callback = "lambda ctx, **rest: ctx.connection.execute(sa.text('SELECT 1')).scalar()"
    project = build(options=f"on_version_apply={callback}")
    project.revision("r1", sql("SELECT 2"))

    (revision,) = plan(larp, "-c", project.config)

    assert (revision["sql"], revision["incomplete"]) == ("SELECT 2;", None)


# --- tables ---------------------------------------------------------------------------


def test_the_tables_that_it_touches_are_measured(
    larp: Larp, project: ForeignProject, empty: str
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
    project.revision(
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


# --- hazards --------------------------------------------------------------------------


def test_a_hazard_is_shown_and_only_a_check_says_no(larp: Larp, project: ForeignProject) -> None:
    """A plan informs; --check ends with 3 and names the rule."""
    project.revision("ix", 'op.create_index("ix", "hero", ["name"])', after="hero")

    shown = larp("db", "plan", "--json")
    checked = larp("db", "plan", "--check", "--json")

    assert shown.exit_code == ExitCode.OK
    assert rules(shown) == rules(checked) == ["require-concurrent-index-creation"]
    assert checked.exit_code == ExitCode.NEGATIVE
    assert "require-concurrent-index-creation" in checked.document["error"]["message"]
    assert "# larp: allow" in checked.document["error"]["hint"]
    (hazard,) = shown.result["revisions"][0]["hazards"]
    assert hazard["statement"] == "CREATE INDEX ix ON hero (name);"
    assert "require-concurrent-index-creation" in larp("db", "plan").stdout


@pytest.mark.parametrize(
    "upgrade",
    [
        CONCURRENTLY,
        'op.add_column("hero", sa.Column("mood", sa.Integer))',
        'op.create_table("t", sa.Column("id", sa.Integer), sa.Column("at", sa.DateTime))',
    ],
)
def test_what_larp_takes_care_of_is_no_hazard(
    larp: Larp, project: ForeignProject, upgrade: str
) -> None:
    """Timeouts are set, a failed index build is repeated, and types are the models' matter."""
    project.revision("safe", upgrade, after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout


def test_an_index_build_with_others_beside_it_cannot_be_repeated(
    larp: Larp, project: ForeignProject
) -> None:
    """What is committed outside of the transaction stands in the way of the next try."""
    more = CONCURRENTLY.replace("ix_hero_name", "ix_more")
    project.revision("two", f"{CONCURRENTLY}\n{more}", after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert rules(outcome) == ["prefer-robust-stmts", "prefer-robust-stmts"]


def test_a_table_that_the_plan_creates_is_no_hazard(larp: Larp, project: ForeignProject) -> None:
    """It is empty, and nobody uses it yet, also in the revisions that follow."""
    project.revision(
        "new", 'op.create_table("t", sa.Column("id", sa.BigInteger), schema="public")', after="hero"
    )
    project.revision(
        "later",
        'op.create_index("ix_t", "t", ["id"], schema="public")\n'
        'op.create_unique_constraint("uq_t", "t", ["id"], schema="public")\n'
        'op.create_foreign_key("fk_t", "t", "hero", ["id"], ["id"], source_schema="public")\n'
        'op.drop_column("t", "id", schema="public")',
        after="new",
    )

    assert larp("db", "plan", "--check").exit_code == ExitCode.OK


def test_a_table_that_is_there_already_is_not_new(larp: Larp, project: ForeignProject) -> None:
    """IF NOT EXISTS on a full table creates nothing, and the next revision locks it."""
    project.revision("again", sql("CREATE TABLE IF NOT EXISTS hero (id int)"), after="hero")
    project.revision("ix", 'op.create_index("ix", "hero", ["name"])', after="again")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["revisions"][1]["hazards"] != []


def test_what_fails_on_any_table_is_told_of_new_ones_too(
    larp: Larp, project: ForeignProject
) -> None:
    """CONCURRENTLY within the transaction will not run, however small the table."""
    project.revision(
        "new",
        sql("CREATE TABLE t (id int)", "CREATE INDEX CONCURRENTLY ix ON t (id)"),
        after="hero",
    )

    outcome = larp("db", "plan", "--check", "--json")

    assert rules(outcome) == ["ban-concurrent-index-creation-in-transaction"]


def test_a_waiver_with_a_reason_is_accepted_and_shown(larp: Larp, project: ForeignProject) -> None:
    """The reason stands in the revision file, and in the plan."""
    project.revision(
        "drop",
        "# larp: allow ban-drop-column: nothing has read it since May\n"
        'op.drop_column("hero", "age")',
        after="hero",
    )

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.OK
    (hazard,) = outcome.result["revisions"][0]["hazards"]
    assert hazard["waived"] == "nothing has read it since May"
    assert "waived: nothing has read it since May" in larp("db", "plan").stdout


@pytest.mark.parametrize(
    "waiver", ["# larp: allow ban-drop-column", "# larp: allow ban-drop-column:  "]
)
def test_a_waiver_without_a_reason_does_not_count(
    larp: Larp, project: ForeignProject, waiver: str
) -> None:
    """It is a finding of its own, beside the hazard that it does not waive."""
    project.revision("drop", f'{waiver}\nop.drop_column("hero", "age")', after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert rules(outcome) == ["ban-drop-column", "waiver-without-reason"]


@pytest.mark.parametrize(
    "text",
    [
        "op.execute('''\\n# larp: allow ban-drop-table: in a string\\n''' and 'DROP TABLE hero')",
        "op.execute('-- squawk-ignore ban-drop-table\\nDROP TABLE hero')",
    ],
)
def test_only_a_comment_of_ours_waives(larp: Larp, project: ForeignProject, text: str) -> None:
    """Neither a string nor squawk's own comment, which needs no reason, is a waiver."""
    project.revision("drop", text, after="hero")

    assert rules(larp("db", "plan", "--check", "--json")) == ["ban-drop-table"]


def test_what_was_not_rendered_was_not_checked(larp: Larp, project: ForeignProject) -> None:
    """A check does not pass what it could not read, unless somebody has read it."""
    question = "op.get_bind().scalar(sa.text('SELECT 1'))"
    path = project.revision("asks", question, after="hero")

    blind = larp("db", "plan", "--check", "--json")
    path.write_text(f"{path.read_text()}\n# larp: allow not-rendered: read by hand\n")
    read = larp("db", "plan", "--check", "--json")

    assert (blind.exit_code, rules(blind)) == (ExitCode.NEGATIVE, ["not-rendered"])
    assert read.exit_code == ExitCode.OK


def test_a_squawk_toml_nearby_changes_nothing(
    larp: Larp, project: ForeignProject, tmp_path: Path
) -> None:
    """The same plan has the same hazards wherever it is made."""
    project.revision("drop", sql("DROP TABLE hero"), after="hero")
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-table"]\n')

    assert rules(larp("db", "plan", "--check", "--json")) == ["ban-drop-table"]


@pytest.fixture
def other_squawk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where squawk would be found, if there was one."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return tmp_path / "bin" / "squawk"


def test_without_squawk_there_is_a_plan_but_no_check(
    larp: Larp, project: ForeignProject, other_squawk: Path
) -> None:
    """The plan says what is missing; a check cannot be answered and names the extra."""
    project.revision("drop", sql("DROP TABLE hero"), after="hero")

    shown = larp("db", "plan")
    outcome = larp("db", "plan", "--json")
    checked = larp("db", "plan", "--check", "--json")

    assert shown.exit_code == ExitCode.OK
    assert "DROP TABLE hero;" in shown.stdout
    assert "hazards were not looked for: pip install 'larp-cli[lint]'" in shown.stdout
    assert outcome.result["hazards_checked"] is False
    assert checked.exit_code == ExitCode.CONFIGURATION
    assert checked.document["error"]["hint"] == "pip install 'larp-cli[lint]'"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exec /bin/sleep 60", "not finished after"),
        ("echo broken >&2; exit 7", "squawk failed: broken"),
        ("exit 7", "exit status 7"),
    ],
)
def test_a_squawk_that_fails_is_an_error_in_time(
    larp: Larp,
    project: ForeignProject,
    other_squawk: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    message: str,
) -> None:
    """A linter that hangs or breaks does not pass for one that found nothing."""
    project.revision("drop", sql("DROP TABLE hero"), after="hero")
    other_squawk.write_text(f"#!/bin/sh\n{script}\n")
    other_squawk.chmod(0o755)
    monkeypatch.setattr(squawk, "SQUAWK_TIMEOUT", 0.3)

    outcome = larp("db", "plan", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert message in outcome.document["error"]["message"]


def test_a_squawk_that_cannot_be_run_is_an_error(
    larp: Larp, project: ForeignProject, other_squawk: Path
) -> None:
    """A file that is no program is told as such."""
    project.revision("drop", sql("DROP TABLE hero"), after="hero")
    other_squawk.write_text("")

    outcome = larp("db", "plan", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "squawk failed" in outcome.document["error"]["message"]


# --- looking only ---------------------------------------------------------------------


def test_a_plan_waits_for_no_lock_and_changes_nothing(
    larp: Larp, project: ForeignProject, empty: str
) -> None:
    """Neither another migrator nor a locked table stands in its way."""
    project.revision("drop", sql("DROP TABLE hero", "CREATE TABLE other ()"), after="hero")
    before = dump(empty)

    with held_mutex(empty, "public"), psycopg.connect(empty) as holder:
        holder.execute("LOCK TABLE hero IN ACCESS EXCLUSIVE MODE")
        outcome = larp("db", "plan", "--json", "--timeout", "20")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["revisions"][0]["tables"][0]["estimated_rows"] == 1000
    assert dump(empty) == before


@pytest.mark.parametrize("where", ["at home", "elsewhere"])
def test_a_role_that_may_only_read_can_plan(
    larp: Larp, use: Use, server: Server, project: ForeignProject, empty: str, where: str
) -> None:
    """In a session that may not write, without rights on the tables themselves."""
    project.revision("drop", sql("DROP TABLE hero"), after="hero")
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
    (revision,) = outcome.result["revisions"]
    assert revision["sql"]


def test_a_plan_shows_no_password(larp: Larp, project: ForeignProject) -> None:
    """Not even where a revision wrote it into its SQL."""
    secret = PASSWORD.replace("'", "''")
    project.revision("role", f"op.execute(\"COMMENT ON TABLE hero IS '{secret}'\")", after="hero")

    outcome = larp("db", "plan", "--debug")

    assert "COMMENT ON TABLE hero" in outcome.stdout
    assert PASSWORD not in outcome.stdout + outcome.stderr
