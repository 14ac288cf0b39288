"""Which env.py can be read instead of run: the ones that only hand their connection over."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from larp_cli.migrations.env_file import parse_version_table
from tests.projects import foreign_project

RECIPE = """
    from alembic import context
    from shop.models import metadata

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata{options})
    with context.begin_transaction():
        context.run_migrations()
"""


def read(directory: Path, text: str) -> tuple[str | None, str] | None:
    """Write an env.py and read it."""
    path = directory / "env.py"
    path.write_text(textwrap.dedent(text))
    return parse_version_table(path)


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("", (None, "alembic_version")),
        (", version_table='steps'", (None, "steps")),
        (", version_table_schema='books', include_schemas=True", ("books", "alembic_version")),
        (", version_table_schema=None", (None, "alembic_version")),
    ],
)
def test_the_recipe_tells_the_place_of_the_version_table(
    tmp_path: Path, options: str, place: tuple[str | None, str]
) -> None:
    """A place in plain literals is read, and what is not said is Alembic's default."""
    assert read(tmp_path, RECIPE.replace("{options}", options)) == place


def test_what_alembic_init_writes_is_read_with_the_recipe_in_it(tmp_path: Path) -> None:
    """A fallback for plain alembic, and an offline mode, do not matter."""
    project = foreign_project(tmp_path / "theirs", options='version_table_schema="books"')

    assert parse_version_table(project.environment) == ("books", "alembic_version")


@pytest.mark.parametrize(
    "options",
    [", version_table_schema=SCHEMA", ", **options", ", version_table=name()"],
    ids=["a name", "unpacked", "a call"],
)
def test_a_place_that_is_made_up_when_it_runs_is_not_read(tmp_path: Path, options: str) -> None:
    """What is no literal may be anything."""
    assert read(tmp_path, RECIPE.replace("{options}", options)) is None


@pytest.mark.parametrize(
    "line",
    [
        'connection.execute(text("SET search_path TO tenant"))',
        "connection.dialect.default_schema_name = tenant",
        "connection = connection.execution_options(schema_translate_map=tenants)",
        "prepare(connection)",
        "prepare(target=connection)",
        'options = "-csearch_path=tenant"',
        "event.listen(Engine, 'connect', choose_tenant)",
        "context.configure(connection=connection)",
    ],
)
def test_an_environment_that_does_more_with_the_connection_is_not_read(
    tmp_path: Path, line: str
) -> None:
    """The session may look for its tables elsewhere afterwards."""
    text = textwrap.dedent(RECIPE).replace("{options}", "")
    before, configure, after = text.partition("context.configure")

    assert read(tmp_path, f"{before}{line}\n{configure}{after}") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def broken(:",
        "for tenant in tenants:\n    context.configure(connection=context.attributes)",
        "for connection in context.config.attributes['all']:\n"
        "    context.configure(connection=connection)",
        "context.configure(connection=engine.connect())",
        "connection = engine.connect()\ncontext.configure(connection=connection)",
    ],
    ids=["empty", "broken", "tenants", "connections", "its own", "its own, named"],
)
def test_any_other_environment_is_not_read(tmp_path: Path, text: str) -> None:
    """None means that it has to be run."""
    assert read(tmp_path, text) is None


def test_an_environment_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    """Alembic tells what is missing."""
    assert parse_version_table(tmp_path / "env.py") is None


def test_an_odd_escape_is_not_for_us_to_criticise(tmp_path: Path) -> None:
    """Python warns when it compiles the file; reading it says nothing, and reads on."""
    text = RECIPE.format(options="") + r"""
    PATTERN = "\d"
"""

    assert read(tmp_path, text) == (None, "alembic_version")
