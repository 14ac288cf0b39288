"""``larp db check``: how models and schema differ, in words and as operations."""

from __future__ import annotations

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, query
from tests.findings import HERO, MODELS, check, codes, found
from tests.integration.cli.db.conftest import Build
from tests.projects import ForeignProject


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
    larp: Larp,
    modelled_project: ForeignProject,
    empty: str,
    change: str,
    difference: str,
    repair: str,
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
    larp: Larp, modelled_project: ForeignProject, empty: str
) -> None:
    """The check says so, and the rest is checked."""
    text = modelled_project.environment.read_text()
    modelled_project.environment.write_text(
        text.replace("target_metadata=target_metadata", "tag=None")
    )
    query(empty, "CREATE TABLE stray (id int)")

    outcome = check(larp)

    assert found(outcome) == []
    assert outcome.result["skipped"] == ["models equal schema: env.py has no target_metadata"]
    assert "not checked: models equal schema" in larp("db", "check").stdout


def test_models_that_cannot_be_compared_are_an_error(
    larp: Larp, modelled_project: ForeignProject
) -> None:
    """An env.py that fails ends in 4, not in a clean answer."""
    text = modelled_project.environment.read_text()
    broken = "include_name=lambda *rest: 1 / 0, target_metadata=target_metadata"
    modelled_project.environment.write_text(text.replace("target_metadata=target_metadata", broken))

    outcome = larp("db", "check", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "ZeroDivisionError" in outcome.document["error"]["message"]
