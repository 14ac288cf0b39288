"""``larp db check``: whether models, revision files and database fit together."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.databases import HEAD, SCHEMA, dump, held_mutex, query
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import ForeignProject, sql
from tests.servers import PASSWORD, Server

MODELS = """
sa.Table(
    "hero", target_metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False), sa.Column("age", sa.Integer),
    sa.Index("ix_hero_name", "name"),
)
"""
HERO = """
op.create_table(
    "hero", sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False), sa.Column("age", sa.Integer),
)
op.create_index("ix_hero_name", "hero", ["name"])
"""


@pytest.fixture
def project(
    build: Build, empty: str, larp: Larp, monkeypatch: pytest.MonkeyPatch
) -> ForeignProject:
    """A project whose models equal the schema."""
    project = build(models=MODELS)
    monkeypatch.setenv("ALEMBIC_CONFIG", project.config)
    project.revision("hero", HERO)
    assert larp("db", "migrate").exit_code == ExitCode.OK
    return project


def check(larp: Larp, *arguments: str) -> Outcome:
    """Check, and hold both formats to the same answer."""
    plain = larp("db", "check", *arguments)
    outcome = larp("db", "check", "--json", *arguments)
    assert plain.exit_code == outcome.exit_code == outcome.document["exit_code"]
    assert outcome.document["changed"] is False
    for finding in outcome.result["findings"]:
        assert finding["code"] in outcome.document["error"]["message"]
        assert finding["code"] in plain.stdout
    assert PASSWORD not in plain.stdout + plain.stderr + outcome.stdout + outcome.stderr
    return outcome


def found(outcome: Outcome) -> list[tuple[str, str]]:
    """List the findings as code and message."""
    assert (outcome.exit_code == ExitCode.NEGATIVE) == bool(outcome.result["findings"])
    return [(finding["code"], finding["message"]) for finding in outcome.result["findings"]]


def codes(outcome: Outcome) -> list[str]:
    """List the codes of the findings."""
    return [code for code, _ in found(outcome)]


# --- in order -------------------------------------------------------------------------


def test_our_own_project_is_in_order(larp: Larp, ready: str) -> None:
    """At head all fits, and what was checked is said."""
    outcome = check(larp)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    result = outcome.result
    assert (result["current"], result["heads"]) == ([HEAD], [HEAD])
    assert (result["findings"], result["skipped"], result["repair"]) == ([], [], [])
    assert "models equal schema" in result["checked"]
    assert "file names" in result["checked"]
    assert "checked: one head, nothing pending" in larp("db", "check").stdout


def test_the_embedded_database_can_be_checked(larp: Larp) -> None:
    """CI needs no server of its own: init and check are enough."""
    assert larp("db", "init").exit_code == ExitCode.OK

    assert check(larp).exit_code == ExitCode.OK


def test_a_project_of_others_is_in_order(larp: Larp, project: ForeignProject) -> None:
    """Its env.py says which models there are; how it names its files is its own matter."""
    outcome = check(larp)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert "models equal schema" in outcome.result["checked"]
    assert "file names" not in outcome.result["checked"]


def test_larps_own_tables_are_no_drift_in_a_project_of_others(
    larp: Larp, build: Build, empty: str
) -> None:
    """Also where its env.py looks into every schema."""
    project = build(models=MODELS, options="include_schemas=True")
    project.revision("hero", HERO)
    assert larp("db", "init", "-c", project.config).exit_code == ExitCode.OK

    assert found(check(larp, "-c", project.config)) == []


# --- where the database stands --------------------------------------------------------


def test_an_empty_database_is_not_initialised(larp: Larp, empty: str) -> None:
    """One finding, whose hint cures it; the models are not compared with nothing."""
    outcome = check(larp)

    assert codes(outcome) == ["not_initialised"]
    assert outcome.result["skipped"] == ["models equal schema: the database is not at head"]
    hint = outcome.document["error"]["hint"]
    assert larp(*shlex.split(hint)[1:]).exit_code == ExitCode.OK
    assert found(check(larp)) == []


def test_pending_revisions_are_named(larp: Larp, project: ForeignProject) -> None:
    """Exit 3 until they are applied."""
    project.revision("a1", sql("SELECT 1"), after="hero")
    project.revision("b2", sql("SELECT 2"), after="a1")

    outcome = check(larp)

    assert found(outcome) == [("pending", "not applied: a1, b2")]
    assert outcome.document["error"]["hint"].startswith("larp db migrate")


def test_a_database_that_is_ahead_is_named(larp: Larp, ready: str) -> None:
    """The revision that is not among the files is told."""
    query(ready, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")

    ((code, message),) = found(check(larp))

    assert code == "ahead"
    assert "fff999" in message


def test_several_heads_are_named(larp: Larp, project: ForeignProject) -> None:
    """Two branches are a finding, also where both are applied."""
    project.revision("left", sql("SELECT 1"), after="hero")
    project.revision("right", sql("SELECT 2"), after="hero")

    assert codes(check(larp)) == ["several_heads", "pending"]
    assert larp("db", "migrate", "heads").exit_code == ExitCode.OK
    outcome = check(larp)
    assert codes(outcome) == ["several_heads"]
    assert "models equal schema" in outcome.result["checked"]
    assert "merge heads" in outcome.document["error"]["hint"]


# --- drift ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "difference", "repair"),
    [
        (
            "CREATE TABLE stray (id int)",
            "table stray is in the database, not in the models",
            "op.drop_table('stray')",
        ),
        (
            "DROP TABLE hero",
            "table hero is in the models, not in the database",
            "op.create_table('hero'",
        ),
        (
            "ALTER TABLE hero ADD COLUMN more int",
            "column hero.more is in the database, not in the models",
            "op.drop_column('hero', 'more')",
        ),
        (
            "ALTER TABLE hero DROP COLUMN age",
            "column hero.age is in the models, not in the database",
            "op.add_column('hero', sa.Column('age'",
        ),
        (
            "ALTER TABLE hero ALTER COLUMN name DROP NOT NULL",
            "column hero.name takes NULL in the database, takes no NULL in the models",
            "nullable=False",
        ),
        (
            "ALTER TABLE hero ALTER COLUMN age TYPE bigint",
            "column hero.age has the type BIGINT in the database, INTEGER in the models",
            "type_=sa.Integer()",
        ),
        (
            "DROP INDEX ix_hero_name",
            "index ix_hero_name on hero is in the models, not in the database",
            "op.create_index('ix_hero_name', 'hero'",
        ),
        (
            "ALTER TABLE hero ADD CONSTRAINT uq_age UNIQUE (age)",
            "constraint uq_age on hero is in the database, not in the models",
            "op.drop_constraint(",
        ),
        (
            "ALTER TABLE hero ADD CONSTRAINT fk_age FOREIGN KEY (age) REFERENCES hero (id)",
            "foreign key fk_age on hero is in the database, not in the models",
            "op.drop_constraint(",
        ),
        (
            "COMMENT ON TABLE hero IS 'of old'",
            "remove table comment: hero",
            "op.drop_table_comment(",
        ),
    ],
)
def test_drift_is_told_in_words_and_as_operations(
    larp: Larp, project: ForeignProject, empty: str, change: str, difference: str, repair: str
) -> None:
    """Each difference between models and schema, and what would make them equal."""
    query(empty, change)

    outcome = check(larp)

    assert ("model_drift", difference) in found(outcome)
    assert set(codes(outcome)) == {"model_drift"}
    assert repair in "\n".join(outcome.result["repair"])
    assert repair in larp("db", "check").stdout


def test_a_changed_default_is_told(larp: Larp, build: Build, empty: str) -> None:
    """Where env.py asks for it, defaults are compared too."""
    project = build(models=MODELS, options="compare_server_default=True")
    project.revision("hero", HERO)
    larp("db", "migrate", "-c", project.config)
    query(empty, "ALTER TABLE hero ALTER COLUMN age SET DEFAULT 7")

    outcome = check(larp, "-c", project.config)

    expected = "column hero.age has the default 7 in the database, none in the models"
    assert found(outcome) == [("model_drift", expected)]


def test_a_stray_table_in_our_schema_is_drift_and_one_elsewhere_is_not(
    larp: Larp, ready: str
) -> None:
    """What others keep in the database is nobody's business here."""
    query(ready, "CREATE SCHEMA theirs; CREATE TABLE theirs.table_of_theirs (id int)")
    assert found(check(larp)) == []
    query(ready, f"CREATE TABLE {SCHEMA}.stray (id int)")

    expected = f"table {SCHEMA}.stray is in the database, not in the models"
    assert found(check(larp)) == [("model_drift", expected)]


def test_an_env_py_may_leave_differences_out(larp: Larp, build: Build, empty: str) -> None:
    """Its own filters and hooks decide what is compared, as they do for `alembic check`."""
    forget = "lambda context, revision, directives: directives.clear()"
    project = build(models=MODELS, options=f"process_revision_directives={forget}")
    project.revision("hero", HERO)
    larp("db", "migrate", "-c", project.config)
    query(empty, "CREATE TABLE stray (id int)")

    assert found(check(larp, "-c", project.config)) == []


def test_a_project_without_models_is_not_compared(
    larp: Larp, project: ForeignProject, empty: str
) -> None:
    """The check says so, and the rest is checked."""
    text = project.environment.read_text()
    project.environment.write_text(text.replace("target_metadata=target_metadata", "tag=None"))
    query(empty, "CREATE TABLE stray (id int)")

    outcome = check(larp)

    assert found(outcome) == []
    assert outcome.result["skipped"] == ["models equal schema: env.py has no target_metadata"]
    assert "not checked: models equal schema" in larp("db", "check").stdout


def test_models_that_cannot_be_compared_are_an_error(larp: Larp, project: ForeignProject) -> None:
    """An env.py that fails ends in 4, not in a clean answer."""
    text = project.environment.read_text()
    broken = "include_name=lambda *rest: 1 / 0, target_metadata=target_metadata"
    project.environment.write_text(text.replace("target_metadata=target_metadata", broken))

    outcome = larp("db", "check", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "ZeroDivisionError" in outcome.document["error"]["message"]


# --- files and indexes ----------------------------------------------------------------


def test_a_file_that_was_edited_after_it_ran_is_named(larp: Larp, project: ForeignProject) -> None:
    """The ledger knows what the file was; a revision that did not run may be edited."""
    path = project.directory / "scripts" / "versions" / "hero.py"
    path.write_text(f"{path.read_text()}\n# an afterthought\n")

    ((code, message),) = found(check(larp))

    assert code == "edited"
    assert str(path) in message


def test_an_invalid_index_is_named_and_the_hint_mends_it(larp: Larp, ready: str) -> None:
    """What a failed CREATE INDEX CONCURRENTLY left, with the command that repairs it."""
    query(ready, f'CREATE TABLE {SCHEMA}."Twice" AS SELECT 1 AS id FROM generate_series(1, 2)')
    with psycopg.connect(ready, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                f'CREATE UNIQUE INDEX CONCURRENTLY "Broken" ON {SCHEMA}."Twice" (id)'
            )
    query(ready, f'DELETE FROM {SCHEMA}."Twice"')

    outcome = check(larp)

    (finding,) = [item for item in outcome.result["findings"] if item["code"] == "invalid_index"]
    assert f'"{SCHEMA}"."Broken"' in finding["message"]
    *_, command = shlex.split(finding["hint"])
    with psycopg.connect(ready, autocommit=True) as connection:
        connection.execute(command)
    assert "invalid_index" not in codes(check(larp))


@pytest.mark.parametrize(
    ("template", "name", "fits"),
    [
        ("%%(year)d%%(month).2d%%(day).2d_%%(slug)s", "20261122_do_hero", True),
        ("%%(year)d%%(month).2d%%(day).2d_%%(slug)s", "20261122", False),
        ("%%(year)d%%(month).2d%%(day).2d_%%(slug)s", "2026112_do_hero", False),
        ("%%(epoch)s-%%(rev)s_%%(slug)s", "1700000000-hero_do", True),
        ("%%(epoch)s-%%(rev)s_%%(slug)s", "hero", False),
    ],
)
def test_files_are_named_as_the_project_says(
    larp: Larp, project: ForeignProject, template: str, name: str, fits: bool
) -> None:
    """A project with a file_template of its own has its files held to it."""
    ini = Path(project.config)
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\nfile_template = {template}"))
    versions = project.directory / "scripts" / "versions"
    (versions / "hero.py").rename(versions / f"{name}.py")

    outcome = check(larp)

    assert codes(outcome) == ([] if fits else ["unnamed"])
    assert "file names" in outcome.result["checked"]


@pytest.mark.parametrize("docstring", ["", '""" """', '"""Revision ID: hero\n\nCreated"""'])
def test_a_revision_without_a_description_is_named(
    larp: Larp, project: ForeignProject, docstring: str
) -> None:
    """What a revision does has to stand in its file."""
    path = project.revision("next", "pass", after="hero")
    path.write_text(path.read_text().replace('"""do next"""', docstring))
    larp("db", "migrate")

    ((code, message),) = found(check(larp))

    assert code == "undocumented"
    assert str(path) in message


def test_every_finding_is_listed(larp: Larp, project: ForeignProject, empty: str) -> None:
    """One answer names all that does not fit."""
    path = project.directory / "scripts" / "versions" / "hero.py"
    path.write_text(path.read_text().replace('"""do hero"""', ""))
    query(empty, "CREATE TABLE stray (id int)")

    assert codes(check(larp)) == ["model_drift", "edited", "undocumented"]


# --- looking only ---------------------------------------------------------------------


def test_a_check_takes_no_lock_and_changes_nothing(larp: Larp, ready: str) -> None:
    """Another migrator does not hold it up, and the database is as it was."""
    before = dump(ready)

    with held_mutex(ready):
        outcome = check(larp)

    assert outcome.exit_code == ExitCode.OK
    assert dump(ready) == before


def test_a_role_that_may_only_read_can_check(
    larp: Larp, use: Use, server: Server, initialised: str
) -> None:
    """SELECT on the tables is enough, in a session that may not write."""
    name = initialised.rpartition("/")[2]
    server.execute("CREATE ROLE checker LOGIN PASSWORD 'sesame'")
    try:
        server.execute("ALTER ROLE checker SET default_transaction_read_only = on")
        query(initialised, f"GRANT USAGE ON SCHEMA {SCHEMA} TO checker")
        query(initialised, f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO checker")
        use(server.url(name, user="checker", password="sesame"))
        outcome = check(larp)
    finally:
        server.execute("DROP OWNED BY checker", name)
        server.execute("DROP ROLE checker")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout


def test_what_env_py_prints_stays_off_stdout(larp: Larp, project: ForeignProject) -> None:
    """With --json stdout is one document."""
    text = project.environment.read_text()
    project.environment.write_text(f"{text}\nprint('hello from env.py')\n")

    document: dict[str, Any] = larp("db", "check", "--json").document

    assert document["exit_code"] == ExitCode.OK
