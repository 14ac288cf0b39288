"""Alembic projects of other people, through ``-c``: as safe as at home."""

from __future__ import annotations

import re

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import has, held_mutex, query, value, versions
from tests.imports import imported_by
from tests.integration.cli.db.conftest import Build
from tests.projects import ForeignProject, sql

MODELS = """
sa.Table(
    "hero", target_metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("mood", sa.Enum("calm", "cross", name="mood")),
)
sa.Table("place", target_metadata, sa.Column("id", sa.Integer, primary_key=True))
"""

HERO = """
mood = sa.Enum("calm", "cross", name="mood")
op.create_table("hero", sa.Column("id", sa.Integer, primary_key=True), sa.Column("mood", mood))
op.execute("CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS $$ SELECT 42 $$")
op.execute("INSERT INTO hero VALUES (1, 'calm')")
"""
NO_HERO = """
op.execute("DROP FUNCTION answer()")
op.drop_table("hero")
op.execute("DROP TYPE mood")
"""
PLACE = 'op.create_table("place", sa.Column("id", sa.Integer, primary_key=True))'
NO_PLACE = 'op.drop_table("place")'


@pytest.fixture(params=["in the default schema", "in a schema of its own"])
def theirs(request: pytest.FixtureRequest, build: Build, empty: str) -> tuple[ForeignProject, str]:
    """A project with enum, function and data; and the name of its version table."""
    options, table = "", "public.alembic_version"
    if request.param == "in a schema of its own":
        query(empty, "CREATE SCHEMA bookkeeping")
        options = 'version_table_schema="bookkeeping", version_table="their versions"'
        table = 'bookkeeping."their versions"'
    project = build(models=MODELS, options=options)
    project.revision("hero", HERO, downgrade=NO_HERO)
    project.revision("place", PLACE, after="hero", downgrade=NO_PLACE)
    return project, table


def test_larp_and_alembic_take_turns(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """Each finds what the other did, whoever begins; in the end `alembic check` is clean."""
    project, table = theirs

    assert project.alembic("upgrade", "hero", url=empty).returncode == 0
    status = larp("db", "status", "-c", project.config, "--json")
    assert (status.exit_code, status.result["state"]) == (ExitCode.NEGATIVE, "behind")
    assert [item["revision"] for item in status.result["pending"]] == ["place"]

    outcome = larp("db", "migrate", "-c", project.config, "--json")
    assert [item["revision"] for item in outcome.result["applied"]] == ["place"]
    assert versions(empty, table) == ["place"]
    assert value(empty, "SELECT answer()") == 42
    assert "place (head)" in project.alembic("current", url=empty).stdout
    check = project.alembic("check", url=empty)
    assert check.returncode == 0, check.stdout

    assert project.alembic("downgrade", "base", url=empty).returncode == 0
    again = larp("db", "migrate", "-c", project.config, "--json")
    assert [item["revision"] for item in again.result["applied"]] == ["hero", "place"]
    assert larp("db", "status", "-c", project.config).exit_code == ExitCode.OK


def test_a_foreign_database_at_head_is_answered_without_alembic(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """A container that has nothing to migrate imports no Alembic, SQLAlchemy or parser."""
    project, _ = theirs
    larp("db", "migrate", "-c", project.config)

    code, modules = imported_by("db", "migrate", "-c", project.config)

    assert code == ExitCode.OK
    assert modules & {"alembic", "sqlalchemy", "postgast"} == set()


def test_init_of_a_foreign_project_keeps_our_tables_out_of_their_schema(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """`db init -c` stamps the environment aside, and `alembic check` stays clean."""
    project, table = theirs

    outcome = larp("db", "init", "-c", project.config, "--json")
    again = larp("db", "init", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert (again.exit_code, again.document["changed"]) == (ExitCode.OK, False)
    assert versions(empty, table) == ["place"]
    assert not has(empty, "larp_manager.alembic_version")
    assert not has(empty, "public.larp_metadata")
    check = project.alembic("check", url=empty)
    assert check.returncode == 0, check.stdout + check.stderr


def test_init_creates_the_database_of_a_foreign_project(
    larp: Larp, build: Build, missing_database: str
) -> None:
    """A missing database is created for a foreign project too."""
    project = build(models=MODELS)
    project.revision("hero", HERO)

    outcome = larp(
        "db", "init", "-c", project.config, "--json", env={"DATABASE_URL": missing_database}
    )

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["created_database"] is True
    assert versions(missing_database, "alembic_version") == ["hero"]


def test_status_of_a_foreign_project_changes_nothing(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """Looking makes no version table, and does not wait for the mutex."""
    project, table = theirs
    schema = table.partition(".")[0]

    with held_mutex(empty, schema, application="their deploy"):
        outcome = larp("db", "status", "-c", project.config, "--json")

    assert (outcome.exit_code, outcome.result["state"]) == (ExitCode.NEGATIVE, "not_initialised")
    assert outcome.result["schema"] == schema
    assert [item["application"] for item in outcome.result["lock_holders"]] == ["their deploy"]
    assert not has(empty, table)


def test_history_of_a_foreign_project_tells_what_is_applied(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """Newest first, each with what it follows and whether the database has it."""
    project, _ = theirs
    larp("db", "migrate", "-c", project.config, "hero")

    outcome = larp("db", "history", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.OK
    told = [
        (item["revision"], item["down_revisions"], item["applied"], item["head"])
        for item in outcome.result["revisions"]
    ]
    assert told == [("place", ["hero"], False, True), ("hero", [], True, False)]


def test_the_configuration_may_come_from_the_environment(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """ALEMBIC_CONFIG is as good as ``-c``."""
    project, table = theirs

    outcome = larp("db", "migrate", "--json", env={"ALEMBIC_CONFIG": project.config})

    assert outcome.exit_code == ExitCode.OK
    assert versions(empty, table) == ["place"]


# --- shapes of history ----------------------------------------------------------------


@pytest.fixture
def branches(build: Build) -> ForeignProject:
    """A base, two labelled branches on it, one of which depends on the other."""
    project = build()
    project.revision("base1", sql("CREATE TABLE base1 ()"))
    project.revision("red1", sql("CREATE TABLE red1 ()"), after="base1", labels="red")
    project.revision("red2", sql("CREATE TABLE red2 ()"), after="red1")
    project.revision(
        "blue1", sql("CREATE TABLE blue1 ()"), after="base1", labels="blue", depends_on="red1"
    )
    return project


def test_several_heads_need_a_word_of_the_operator(
    larp: Larp, branches: ForeignProject, empty: str
) -> None:
    """``head`` is ambiguous and refused with both ways out; ``heads`` applies all."""
    refused = larp("db", "migrate", "-c", branches.config, "--json")
    outcome = larp("db", "migrate", "-c", branches.config, "heads", "--json")

    assert refused.exit_code == ExitCode.CONFIGURATION
    assert "several heads: " in refused.document["error"]["message"]
    assert f"larp db migrate -c {branches.config} heads" in refused.document["error"]["hint"]
    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert sorted(outcome.result["after"]) == ["blue1", "red2"]
    assert len(outcome.result["applied"]) == 4
    assert larp("db", "status", "-c", branches.config).exit_code == ExitCode.OK


def test_a_branch_is_migrated_by_its_label(
    larp: Larp, branches: ForeignProject, empty: str
) -> None:
    """``blue@head`` applies the branch and what it depends on, and no more."""
    outcome = larp("db", "migrate", "-c", branches.config, "blue@head", "--json")
    status = larp("db", "status", "-c", branches.config, "--json")

    applied = [item["revision"] for item in outcome.result["applied"]]
    assert applied == ["base1", "red1", "blue1"]
    assert [item["revision"] for item in status.result["pending"]] == ["red2"]
    assert status.result["state"] == "behind"


def test_a_merge_revision_ends_in_one_head(
    larp: Larp, branches: ForeignProject, empty: str
) -> None:
    """After a merge ``head`` is one again, also for a database that stood at two."""
    larp("db", "migrate", "-c", branches.config, "heads")
    branches.revision("purple", sql("CREATE TABLE purple ()"), after=("red2", "blue1"))

    outcome = larp("db", "migrate", "-c", branches.config, "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert sorted(outcome.result["before"]) == ["blue1", "red2"]
    assert outcome.result["after"] == ["purple"]
    assert versions(empty, "alembic_version") == ["purple"]


def test_init_applies_every_head(larp: Larp, branches: ForeignProject, empty: str) -> None:
    """`db init` of a project with several heads goes to all of them."""
    outcome = larp("db", "init", "-c", branches.config, "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert sorted(outcome.result["migrated"]["after"]) == ["blue1", "red2"]


REPLACING = """
earlier = op.get_context().script.get_revision("view1").module
op.execute("DROP VIEW answer")
op.execute(earlier.VIEW.replace("41", "42"))
"""


def test_a_revision_may_replace_what_another_has_made(larp: Larp, build: Build, empty: str) -> None:
    """It finds the other's objects through the context, as the cookbook's ``replaces`` does."""
    theirs = build()
    path = theirs.revision("view1", "op.execute(VIEW)")
    path.write_text(path.read_text() + '\nVIEW = "CREATE VIEW answer AS SELECT 41 AS n"\n')
    theirs.revision("view2", REPLACING, after="view1")

    plan = larp("db", "plan", "-c", theirs.config, "--json")
    outcome = larp("db", "migrate", "-c", theirs.config)

    assert "SELECT 42" in plan.result["revisions"][1]["sql"]
    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert value(empty, "SELECT n FROM answer") == 42


def test_independent_bases_are_separate_histories(larp: Larp, build: Build, empty: str) -> None:
    """Two histories without a common base both count as pending, and both are applied."""
    project = build()
    project.revision("one1", sql("CREATE TABLE one1 ()"))
    project.revision("two1", sql("CREATE TABLE two1 ()"))
    larp("db", "migrate", "-c", project.config, "one1")

    status = larp("db", "status", "-c", project.config, "--json")
    outcome = larp("db", "migrate", "-c", project.config, "heads", "--json")

    assert [item["revision"] for item in status.result["pending"]] == ["two1"]
    assert sorted(outcome.result["after"]) == ["one1", "two1"]


# --- what is wrong with it ------------------------------------------------------------


def test_a_missing_configuration_is_named(larp: Larp, empty: str) -> None:
    """A path without a file ends in 4 and says which."""
    outcome = larp("db", "status", "-c", "nowhere/alembic.ini", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "nowhere/alembic.ini" in outcome.document["error"]["message"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "runs no migrations"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('no luck')", "no luck"),
        ("import sqlalchemy as sa\nsa.create_engine('postgresql+nothing://x')", ""),
    ],
)
def test_a_broken_env_py_is_a_configuration_error(
    larp: Larp, theirs: tuple[ForeignProject, str], text: str, part: str
) -> None:
    """An env.py that fails or ignores the connection is the project's fault, and is named."""
    project, _ = theirs
    project.environment.write_text(text)

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert part in outcome.document["error"]["message"]
    assert str(project.directory) in outcome.document["error"]["message"]


def test_an_env_py_with_a_connection_of_its_own_is_not_trusted(
    larp: Larp, theirs: tuple[ForeignProject, str], empty: str
) -> None:
    """An env.py that connects by itself would bypass timeouts and mutex; nothing is applied."""
    project, table = theirs
    text = project.environment.read_text()
    project.environment.write_text(
        text.replace('config.attributes.get("connection", None)', "None")
    )

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert "attributes" in str(outcome.document["error"])
    assert not has(empty, table)


def test_home_by_its_own_path_is_home(larp: Larp, ready: str) -> None:
    """``-c`` with larp's own alembic.ini is no foreign project."""
    from larp_cli.migrations.project import own_config_file

    outcome = larp("db", "status", "-c", str(own_config_file()), "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["schema"] == "larp_manager"
    assert outcome.result["environment"] == "development"


def test_hints_in_a_result_name_the_project_too(larp: Larp, build: Build, empty: str) -> None:
    """Typed as they stand they would else run larp's own revisions on a foreign database."""
    project = build()
    project.chain("pass")

    for words in (("db", "check"), ("db", "status"), ("health",), ("doctor",)):
        outcome = larp(*words, "-c", project.config, "--json")
        hints = re.findall(r'"hint": "([^"]+)"', outcome.stdout)
        commands = [hint for hint in hints if "larp db" in hint]
        assert commands or words == ("doctor",)
        assert all(f"-c {project.config}" in hint for hint in commands), commands
