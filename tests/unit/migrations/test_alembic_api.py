"""Contract with Alembic: what larp uses of it beyond its documentation works as larp needs it.

Real environments on disk, and a real server. `make contracts` runs this with the oldest
Alembic that larp supports as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.operations.ops import CreateTableOp
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from larp_cli.migrations import alembic_api
from larp_cli.migrations.project import keep_logging
from tests.conftest import ROOT
from tests.databases import has, query
from tests.projects import ForeignProject, foreign_project, sql

MODELS = 'sa.Table("hero", target_metadata, sa.Column("id", sa.Integer, primary_key=True))'


@pytest.fixture
def project(tmp_path: Path) -> ForeignProject:
    """A project with two revisions that each create a table."""
    project = foreign_project(tmp_path / "theirs", models=MODELS)
    project.chain(sql("CREATE TABLE one ()"), sql("CREATE TABLE two ()"))
    return project


@pytest.fixture
def connection(database: str) -> Iterator[sa.Connection]:
    """A connection to an empty database."""
    url = database.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def open_script(project: ForeignProject) -> ScriptDirectory:
    """Read the revisions of a project."""
    return ScriptDirectory.from_config(Config(project.config))


def run(
    project: ForeignProject,
    work: alembic_api.Work,
    connection: sa.Connection | None = None,
    **options: Any,
) -> None:
    """Run the env.py of a project through the environment that larp makes."""
    config = Config(project.config)
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    environment = alembic_api.open_environment(config, script, work, **options)
    with environment, keep_logging():
        script.run_env()


def upgrade(project: ForeignProject) -> alembic_api.Work:
    """Apply every revision, committed together by env.py."""
    script = open_script(project)
    return lambda stamps, _context: alembic_api.list_upgrade_steps(script, "heads", stamps)


# --- the revisions -----------------------------------------------------------------------


def test_an_upgrade_has_a_step_for_each_revision(project: ForeignProject) -> None:
    """In order, from the stamps on; an error is Alembic's CommandError."""
    script = open_script(project)

    steps = alembic_api.list_upgrade_steps(script, "head", ())
    assert [alembic_api.read_script(step).revision for step in steps] == ["r1", "r2"]
    (step,) = alembic_api.list_upgrade_steps(script, "head", ("r1",))
    assert alembic_api.read_script(step).doc == "do r2"
    with pytest.raises(CommandError, match="Can't locate revision identified by 'gone'"):
        alembic_api.list_upgrade_steps(script, "gone", ())


def test_a_downgrade_has_a_step_for_each_revision(project: ForeignProject) -> None:
    """Newest first, down to the target, which stays."""
    script = open_script(project)

    steps = alembic_api.list_downgrade_steps(script, "base", ("r2",))
    assert [alembic_api.read_script(step).revision for step in steps] == ["r2", "r1"]
    (step,) = alembic_api.list_downgrade_steps(script, "r1", ("r2",))
    assert alembic_api.read_script(step).revision == "r2"
    with pytest.raises(CommandError, match="not a valid downgrade target"):
        alembic_api.list_downgrade_steps(script, "r2", ("r1",))


@pytest.mark.parametrize(
    ("target", "stamps", "after"),
    [
        ("head", (), ("r2",)),
        ("head", ("r1",), ("r2",)),
        ("r1", ("r2",), ("r1",)),
        ("base", ("r2",), ()),
    ],
)
def test_a_stamp_has_a_step_with_the_stamps_after_it(
    project: ForeignProject, target: str, stamps: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """Up, down and to nothing."""
    (step,) = alembic_api.list_stamp_steps(open_script(project), target, stamps)

    assert alembic_api.read_stamps(step) == after


def test_version_locations_are_directories(project: ForeignProject) -> None:
    """The default one, and those that the configuration names."""
    assert alembic_api.list_version_locations(open_script(project)) == [
        project.directory / "scripts" / "versions"
    ]

    ini = Path(project.config)
    ini.write_text(
        ini.read_text().replace("[alembic]\n", "[alembic]\nversion_locations = %(here)s/a\n")
    )
    assert alembic_api.list_version_locations(open_script(project)) == [project.directory / "a"]


def test_the_script_directory_and_the_file_template_are_read(project: ForeignProject) -> None:
    """As the configuration has them, or Alembic's own template."""
    script = open_script(project)
    assert alembic_api.find_script_directory(script) == project.directory / "scripts"
    assert alembic_api.read_file_template(script) == "%(rev)s_%(slug)s"

    ini = Path(project.config)
    text = ini.read_text().replace("[alembic]\n", "[alembic]\nfile_template = %%(slug)s\n")
    ini.write_text(text)
    assert alembic_api.read_file_template(open_script(project)) == "%(slug)s"


def test_write_hooks_are_seen(project: ForeignProject) -> None:
    """A project with a section ``post_write_hooks`` formats its files itself."""
    assert not alembic_api.has_write_hooks(open_script(project))

    ini = Path(project.config)
    hook = "hooks = black\nblack.type = console_scripts\nblack.entrypoint = black\n"
    ini.write_text(f"{ini.read_text()}\n[post_write_hooks]\n{hook}")
    assert alembic_api.has_write_hooks(open_script(project))


# --- running an environment --------------------------------------------------------------


def test_a_step_runs_what_is_put_around_it(
    project: ForeignProject, connection: sa.Connection
) -> None:
    """Alembic calls the function that replaces ``upgrade()``."""
    called: list[str] = []

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def wrapped(**options: Any) -> None:
            called.append(original.__name__)
            original(**options)

        return wrapped

    def work(stamps: Any, _context: MigrationContext) -> Iterable[MigrationStep]:
        for step in alembic_api.list_upgrade_steps(open_script(project), "head", stamps):
            alembic_api.wrap_step(step, wrap)
            yield step

    run(project, work, connection)

    assert called == ["upgrade", "upgrade"]
    assert has(url_of(connection), "two")


def test_options_of_configure_can_be_changed(
    project: ForeignProject, connection: sa.Connection
) -> None:
    """Those that env.py gives, by name or by position, and those that it does not."""
    text = project.environment.read_text()
    by_position = text.replace("configure(connection=connection,", "configure(connection,")
    assert by_position != text
    project.environment.write_text(by_position)
    given: dict[str, Any] = {}

    def adjust(options: dict[str, Any]) -> None:
        given.update(options)
        options["version_table"] = "steps"

    run(project, upgrade(project), connection, adjust=adjust)

    assert given["connection"] is connection
    assert given["target_metadata"].tables.keys() == {"hero"}
    assert query(url_of(connection), "SELECT version_num FROM steps") == [("r2",)]


def test_callbacks_after_each_revision_are_an_option(
    project: ForeignProject, connection: sa.Connection
) -> None:
    """One, several or none; each is called with the step that is done."""
    seen: list[str | None] = []

    def adjust(options: dict[str, Any]) -> None:
        assert options.get("on_version_apply") is None
        options["on_version_apply"] = (lambda step, **_: seen.append(step.up_revision_id),)

    run(project, upgrade(project), connection, adjust=adjust)

    assert seen == ["r1", "r2"]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_read_only_environment_creates_nothing(
    project: ForeignProject, connection: sa.Connection, read_only: bool
) -> None:
    """Without that, the version table is created before any work is done."""
    run(project, lambda _stamps, _context: (), connection, read_only=read_only)

    assert has(url_of(connection), "alembic_version") is not read_only


def test_the_place_of_the_version_table_is_read(
    project: ForeignProject, connection: sa.Connection
) -> None:
    """None for the default schema, which only the session knows."""
    places: list[tuple[str | None, str]] = []

    def work(_stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        places.append(alembic_api.read_version_table(context))
        return ()

    def adjust(options: dict[str, Any]) -> None:
        options |= {"version_table": "steps", "version_table_schema": "books"}

    run(project, work, connection, read_only=True)
    run(project, work, connection, read_only=True, adjust=adjust)

    assert places == [(None, "alembic_version"), ("books", "steps")]


RECIPE = """
from alembic import context

connection = context.config.attributes["connection"]
{before}
context.configure(connection=connection{options})
with context.begin_transaction():
    {within}
    context.run_migrations()
"""


@pytest.mark.parametrize(
    ("text", "commits_itself"),
    [
        (RECIPE.format(before="", options="", within=""), False),
        (RECIPE.format(before="", options=", transaction_per_migration=True", within=""), False),
        (RECIPE.format(before="connection.begin()", options="", within=""), True),
        (
            RECIPE.format(
                before="", options="", within="context.execute('SET LOCAL work_mem = 64')"
            ),
            True,
        ),
        (
            RECIPE.replace("with context.begin_transaction():", "if True:").format(
                before="", options="", within=""
            ),
            True,
        ),
    ],
    ids=["recipe", "one by one", "transaction from outside", "SET LOCAL", "no transaction"],
)
def test_an_environment_that_commits_itself_is_recognised(
    project: ForeignProject, connection: sa.Connection, text: str, commits_itself: bool
) -> None:
    """It began the transaction, ran something in it, or leaves committing to the connection."""
    project.environment.write_text(text)
    answers: list[bool] = []

    def work(stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        for step in alembic_api.list_upgrade_steps(open_script(project), "head", stamps):
            yield step
            answers.append(alembic_api.commits_itself(context))

    run(project, work, connection)

    assert answers == [commits_itself] * 2


@pytest.mark.parametrize("per_migration", [True, False])
def test_each_revision_can_be_committed(
    project: ForeignProject, connection: sa.Connection, per_migration: bool
) -> None:
    """Seen from elsewhere at once; what env.py does afterwards is still committed at its end."""
    text = RECIPE.format(
        before="", options=f", transaction_per_migration={per_migration}", within=""
    )
    project.environment.write_text(f"{text}    context.execute('CREATE TABLE three ()')\n")
    url = url_of(connection)
    seen: list[bool] = []

    def work(stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        tables = ("one", "two")
        steps = alembic_api.list_upgrade_steps(open_script(project), "head", stamps)
        for table, step in zip(tables, steps, strict=True):
            yield step
            alembic_api.commit_revision(context)
            seen.append(has(url, table))

    run(project, work, connection)

    assert seen == [True, True]
    assert has(url, "three") is not per_migration


# --- offline -----------------------------------------------------------------------------


class Written(list[str]):
    """Takes what Alembic writes."""

    write = list.append

    def flush(self) -> None:
        """Do nothing."""


def test_offline_a_revision_gets_our_connection_and_writes_each_statement_at_once(
    project: ForeignProject,
) -> None:
    """Also what an autocommit_block does to the transaction."""
    project.revision(
        "r3",
        """
        assert op.get_bind() == "ours"
        with op.get_context().autocommit_block():
            op.execute("SELECT '50%'")
        """,
        after="r2",
    )
    written = Written()

    def work(_stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        assert alembic_api.begin_offline(context, "ours") is True
        written.clear()
        steps = alembic_api.list_upgrade_steps(open_script(project), "r3", ("r2",))
        return [steps[0]]

    run(
        project, work, adjust=lambda options: options.update(output_buffer=written),
        as_sql=True, starting_rev="r2",
    )  # fmt: skip

    script = [text.strip() for text in written if not text.startswith("--")]
    assert script[:3] == ["COMMIT;", "SELECT '50%';", "BEGIN;"]
    assert script[3].startswith("UPDATE alembic_version SET version_num='r3'")


# --- writing revisions -------------------------------------------------------------------


def test_a_revision_is_filled_and_written(
    project: ForeignProject, connection: sa.Connection, tmp_path: Path
) -> None:
    """What differs passes env.py's hook, and goes into a file in the staging directory."""
    run(project, upgrade(project), connection)
    ini = Path(project.config)
    ini.write_text(ini.read_text().replace("[alembic]\n", "[alembic]\nprepend_sys_path = .\n"))
    template = (ROOT / "alembic" / "script.py.mako").read_text()
    (project.directory / "scripts" / "script.py.mako").write_text(template + "# ${team}\n")
    config = Config(project.config)
    script = ScriptDirectory.from_config(config)
    revision = alembic_api.new_revision(config, script, "Add heroes")
    hooked: list[type] = []
    rendered: list[str] = []
    differences: list[Any] = []

    def adjust(options: dict[str, Any]) -> None:
        options["template_args"] = {"team": "ours"}
        options["include_name"] = lambda name, kind, _parents: kind != "table" or name == "hero"
        options["process_revision_directives"] = lambda _context, _stamps, scripts: hooked.extend(
            type(operation) for operation in scripts[-1].upgrade_ops_list[-1].ops
        )

    def work(stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        alembic_api.compare_models(revision, stamps, context)
        (generated,) = alembic_api.list_operations(revision)
        comparison = alembic_api.open_comparison(context)
        operations = generated.upgrade_ops_list[-1]
        rendered.extend(alembic_api.render_operation(comparison, item) for item in operations.ops)
        differences.extend(alembic_api.list_differences(operations))
        return ()

    options = alembic_api.list_revision_options(revision)
    run(project, work, connection, read_only=True, adjust=adjust, **options)
    path = sys.path[:]
    staging = alembic_api.open_staging(config, script, tmp_path)
    (written,) = alembic_api.write_scripts(revision, staging, tmp_path)

    assert hooked == [CreateTableOp]
    assert rendered[0].startswith("op.create_table('hero'")
    ((kind, table),) = differences
    assert (kind, table.name) == ("add_table", "hero")
    assert Path(written.path).parent == tmp_path
    assert written.down_revision == "r2"
    text = Path(written.path).read_text()
    assert text.startswith('"""Add heroes\n')
    assert "op.create_table('hero'" in text
    assert text.endswith("# ours\n")
    assert sys.path == path


def test_staging_reads_the_revisions_again_and_says_nothing(
    project: ForeignProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A revision that was written meanwhile is seen, and the next one follows it."""
    (project.directory / "scripts" / "script.py.mako").write_text(
        (ROOT / "alembic" / "script.py.mako").read_text()
    )
    config = Config(project.config)
    script = open_script(project)
    assert script.get_heads() == ["r2"]
    project.revision("r3", after="r2")

    staging = alembic_api.open_staging(config, script, tmp_path)
    revision = alembic_api.new_revision(config, staging)
    (written,) = alembic_api.write_scripts(revision, staging, tmp_path)

    assert written.down_revision == "r3"
    assert capsys.readouterr() == ("", "")


def test_a_database_that_is_behind_is_not_compared(
    project: ForeignProject, connection: sa.Connection
) -> None:
    """Alembic says so with its own error."""
    config = Config(project.config)
    revision = alembic_api.new_revision(config, open_script(project))

    def work(stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
        alembic_api.compare_models(revision, stamps, context)
        return ()

    with pytest.raises(CommandError, match="not up to date"):
        options = alembic_api.list_revision_options(revision)
        run(project, work, connection, read_only=True, **options)


def url_of(connection: sa.Connection) -> str:
    """Return the URL of a connection's database, for psycopg."""
    url = connection.engine.url.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)
