"""``larp db plan``: what of a revision cannot be rendered is said, and the rest is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.integration.cli.db.conftest import Build
from tests.plans import plan
from tests.projects import ForeignProject, sql


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
    larp: Larp, hero_project: ForeignProject, question: str
) -> None:
    """What it writes before is shown, what follows is not guessed, and the plan goes on."""
    hero_project.revision("asks", f"{sql('SELECT 41')}\n{question}", after="hero")
    hero_project.revision("next", sql("SELECT 42"), after="asks")

    asks, following = plan(larp)

    assert asks["inspects_database"] is True
    assert "asks the database" in asks["incomplete"]
    assert asks["sql"].startswith("SELECT 41;")
    assert (following["sql"], following["incomplete"]) == ("SELECT 42;", None)
    assert f"incomplete: {asks['incomplete']}" in larp("db", "plan").stdout


def test_a_revision_that_fails_offline_is_said_to(larp: Larp, hero_project: ForeignProject) -> None:
    """Its error is told, and is not ours."""
    hero_project.revision("fails", "raise RuntimeError('only on Mondays')", after="hero")

    (revision,) = plan(larp)

    assert revision["sql"] is None
    assert revision["inspects_database"] is False
    assert "RuntimeError: only on Mondays" in revision["incomplete"]


def test_parameters_that_cannot_be_rendered_are_said_to_be_so(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """A statement whose parameters would be lost is not shown without them."""
    statement = "sa.update(sa.table('hero', sa.column('id'))).values(id=sa.bindparam('x'))"
    hero_project.revision("p", f"op.get_bind().execute({statement}, {{'x': 1}})", after="hero")

    (revision,) = plan(larp)

    assert revision["sql"] is None
    assert "parameters of Update" in revision["incomplete"]


def test_what_a_revision_prints_stays_off_stdout(larp: Larp, hero_project: ForeignProject) -> None:
    """With --json stdout is one document, whoever prints."""
    hero_project.revision("prints", "print('hello from a revision')", after="hero")

    outcome = larp("db", "plan", "--json")

    assert outcome.document["exit_code"] == ExitCode.OK
    assert "hello from a revision" in outcome.stderr


@pytest.mark.parametrize(
    "url",
    ["", "sqlalchemy.url = driver://user:pass@localhost/dbname", "sqlalchemy.url = sqlite://"],
)
def test_an_env_py_that_takes_its_dialect_from_the_ini_file_is_rendered(
    larp: Larp, hero_project: ForeignProject, url: str
) -> None:
    """What `alembic init` writes needs a URL offline, be it only for the dialect."""
    hero_project.revision("next", sql("SELECT '50%'"), after="hero")
    text = hero_project.environment.read_text()
    assert 'dialect_name="postgresql"' in text
    hero_project.environment.write_text(
        text.replace('dialect_name="postgresql"', 'url=config.get_main_option("sqlalchemy.url")')
    )
    ini = Path(hero_project.config)
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\n{url}"))

    (revision,) = plan(larp)

    assert revision["sql"] == "SELECT '50%';"


def test_an_env_py_without_an_offline_mode_is_rendered_on_its_connection(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """It is handed the connection as ever, and nothing is run on it."""
    hero_project.revision("next", sql("DROP TABLE hero"), after="hero")
    text = hero_project.environment.read_text()
    hero_project.environment.write_text(text.replace("if context.is_offline_mode():", "if False:"))

    (revision,) = plan(larp)

    assert revision["sql"] == "DROP TABLE hero;"
    assert revision["tables"][0]["name"] == "public.hero"


def test_an_env_py_that_refuses_to_be_offline_is_said_to(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """The pending revisions are named all the same."""
    hero_project.revision("next", sql("SELECT 1"), after="hero")
    text = hero_project.environment.read_text()
    refusal = 'raise RuntimeError("no offline mode")'
    hero_project.environment.write_text(text.replace("    run_offline()\n", f"    {refusal}\n"))

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
