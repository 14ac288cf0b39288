"""``larp db migrate``: what is pending is applied, up to a target, each revision as it is meant."""

from __future__ import annotations

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import HEAD, REVISIONS, has, held_mutex, query, value, versions
from tests.integration.cli.db.conftest import Build
from tests.projects import VERSIONS, ForeignProject, sql


def test_migrate_applies_what_is_pending_and_then_nothing(larp: Larp, empty: str) -> None:
    """The first run applies every revision; the second says that nothing is to do."""
    first = larp("db", "migrate", "--json")
    second = larp("db", "migrate", "--json")
    plain = larp("db", "migrate")

    assert (first.exit_code, first.document["changed"]) == (ExitCode.OK, True)
    assert [item["revision"] for item in first.result["applied"]] == list(REVISIONS)
    assert (first.result["before"], first.result["after"]) == ([], [HEAD])
    assert (second.exit_code, second.document["changed"]) == (ExitCode.OK, False)
    assert (second.result["before"], second.result["after"]) == ([HEAD], [HEAD])
    assert plain.stdout.startswith("nothing to do: ")
    assert versions(empty) == [HEAD]


def test_at_head_no_lock_is_asked_for(larp: Larp, ready: str) -> None:
    """Running pods are not disturbed: at head it neither takes the mutex nor waits for it."""
    with held_mutex(ready):
        outcome = larp("db", "migrate", "--json", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is False


def test_at_head_even_locked_tables_do_not_matter(larp: Larp, ready: str) -> None:
    """A table that a migration of others holds exclusively does not hold up a start at head."""
    with psycopg.connect(ready) as other:
        other.execute("CREATE TABLE larp_manager.busy ()")
        outcome = larp("db", "migrate", "--json")

    assert outcome.exit_code == ExitCode.OK


# --- targets --------------------------------------------------------------------------


@pytest.fixture
def chain(build: Build) -> ForeignProject:
    """A project with three revisions, each of which makes a table."""
    project = build()
    for number, below in ((1, None), (2, "aaa1"), (3, "aaa2")):
        name = f"aaa{number}"
        project.revision(name, sql(f"CREATE TABLE t{number} ()"), after=below)
    return project


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["+1"], "aaa1"),
        (["+2"], "aaa2"),
        (["+1", "+1"], "aaa2"),
        (["aaa2"], "aaa2"),
        (["aaa2", "aaa1"], "aaa2"),
        (["aaa1+1"], "aaa2"),
        (["heads"], "aaa3"),
        (["head"], "aaa3"),
        ([], "aaa3"),
    ],
)
def test_targets_are_those_of_alembic(
    larp: Larp, chain: ForeignProject, empty: str, targets: list[str], expected: str
) -> None:
    """A number of steps, a revision, ``heads``: what one knows from alembic works."""
    for target in [[target] for target in targets] or [[]]:
        outcome = larp("db", "migrate", "-c", chain.config, *target)
        assert outcome.exit_code == ExitCode.OK, outcome.stderr

    assert versions(empty, VERSIONS) == [expected]


def test_the_beginning_of_a_revision_is_enough(larp: Larp, build: Build, empty: str) -> None:
    """A unique prefix names a revision."""
    project = build()
    project.revision("deadbeef01")
    project.revision("cafe02", after="deadbeef01")

    outcome = larp("db", "migrate", "-c", project.config, "dead", "--json")

    assert outcome.result["after"] == ["deadbeef01"]


@pytest.mark.parametrize("target", ["nowhere", "aaa", "+7", "aaa1:aaa2", "branch@head"])
def test_an_unreachable_target_is_a_configuration_error(
    larp: Larp, chain: ForeignProject, empty: str, target: str
) -> None:
    """An unknown or ambiguous target, or too many steps, end in 4 and change nothing."""
    outcome = larp("db", "migrate", "-c", chain.config, target, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert outcome.document["error"]["message"]
    assert not has(empty, VERSIONS)


def test_going_down_is_not_migrates_business(larp: Larp, chain: ForeignProject, empty: str) -> None:
    """A negative number of steps undoes nothing."""
    larp("db", "migrate", "-c", chain.config)

    outcome = larp("db", "migrate", "-c", chain.config, "--json", "--", "-1")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert versions(empty, VERSIONS) == ["aaa3"]


def test_a_project_without_revisions_has_nothing_to_do(
    larp: Larp, build: Build, empty: str
) -> None:
    """No revision is no error."""
    outcome = larp("db", "migrate", "-c", build().config, "--json")

    assert (outcome.exit_code, outcome.document["changed"]) == (ExitCode.OK, False)


def test_a_database_that_is_ahead_is_left_alone(
    larp: Larp, chain: ForeignProject, empty: str
) -> None:
    """A database with a revision that the code does not have is not migrated."""
    larp("db", "migrate", "-c", chain.config)
    query(empty, "UPDATE alembic_version SET version_num = 'fff9'")

    outcome = larp("db", "migrate", "-c", chain.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "ahead of this code: it is at fff9" in outcome.document["error"]["message"]


@pytest.mark.parametrize(
    ("text", "part"),
    [("def upgrade(:", "cannot be read"), ("import nothing_of_that_name", "nothing_of_that_name")],
)
def test_a_broken_revision_file_is_named(
    larp: Larp, chain: ForeignProject, empty: str, text: str, part: str
) -> None:
    """A file that Python cannot load is a configuration error, not a bug of larp."""
    (chain.directory / "scripts" / "versions" / "broken.py").write_text(text)

    outcome = larp("db", "migrate", "-c", chain.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert part in outcome.document["error"]["message"]


# --- transactions ---------------------------------------------------------------------


def test_an_index_is_built_concurrently_under_the_mutex(
    larp: Larp, build: Build, empty: str
) -> None:
    """An ``autocommit_block`` works, and the mutex's session does not stand in its way."""
    project = build()
    project.chain(
        sql("CREATE TABLE big (id int)"),
        sql("INSERT INTO big VALUES (1)")
        + "\nwith op.get_context().autocommit_block():"
        + '\n    op.execute("CREATE INDEX CONCURRENTLY big_id ON big (id)")',
        sql("CREATE TABLE after ()"),
    )

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert versions(empty, VERSIONS) == ["r3"]
    assert value(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'big_id'::regclass")
    assert value(empty, "SELECT count(*) FROM big") == 1


def test_the_lock_timeout_holds_inside_an_autocommit_block(
    larp: Larp, build: Build, empty: str
) -> None:
    """Set on the session, it is not lost where ``SET LOCAL`` would be."""
    project = build()
    project.chain(
        "with op.get_context().autocommit_block():"
        "\n    op.execute(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value\")"
    )

    larp("db", "migrate", "-c", project.config, env={"MIGRATION_LOCK_TIMEOUT": "2.5"})

    assert value(empty, "SELECT value FROM seen") == "2500ms"


@pytest.mark.parametrize(
    "before",
    [
        "connection.execute(sa.text('SELECT 1'))",
        "connection.execute(sa.text('SET work_mem = 128'))",
    ],
)
def test_a_transaction_left_open_by_env_py_is_no_success(
    larp: Larp, build: Build, empty: str, before: str
) -> None:
    """In a transaction that was begun already Alembic commits nothing; larp does not say OK."""
    project = build(before=before)
    project.chain(sql("CREATE TABLE first ()"), sql("CREATE TABLE second ()"))

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "nothing was committed" in outcome.document["error"]["message"]
    assert not has(empty, "first")
    assert not has(empty, VERSIONS)


def test_an_env_py_that_commits_its_own_transaction_is_fine(
    larp: Larp, build: Build, empty: str
) -> None:
    """Reading something first, and committing it, is what Alembic's cookbook does."""
    project = build(before="connection.execute(sa.text('SELECT 1')); connection.commit()")
    project.chain(sql("CREATE TABLE first ()"), sql("CREATE TABLE second ()"))

    outcome = larp("db", "migrate", "-c", project.config)

    assert outcome.exit_code == ExitCode.OK
    assert versions(empty, VERSIONS) == ["r2"]


# --- what revisions do to our streams -------------------------------------------------


def test_what_revisions_print_does_not_reach_the_document(
    larp_process: LarpProcess, build: Build, empty: str
) -> None:
    """On stdout is the one JSON document, whatever env.py and revisions print or log."""
    project = build(before="print('env speaks')")
    project.chain("print('revision speaks')", "import sys; sys.__stdout__.write('buffer speaks')")

    outcome = larp_process("db", "migrate", "-c", project.config, "--json")

    assert outcome.document["exit_code"] == 0
    for speaker in ("env", "revision", "buffer"):
        assert f"{speaker} speaks" in outcome.stderr


def test_logging_is_ours_again_after_a_foreign_file_config(
    larp: Larp, build: Build, empty: str
) -> None:
    """A ``fileConfig`` in a foreign env.py replaces neither our handlers nor our format."""
    import logging

    project = build()
    project.chain("pass", "op.execute(\"DO $x$ BEGIN RAISE WARNING 'beware'; END $x$\")")
    ours = logging.getLogger("larp.postgres")

    outcome = larp("db", "migrate", "-c", project.config)

    assert outcome.exit_code == ExitCode.OK
    assert "warning: beware" in outcome.stderr
    assert not ours.disabled
    assert logging.getLogger().level == logging.WARNING
    formats = [handler.formatter._fmt for handler in logging.getLogger().handlers]  # type: ignore
    assert formats and not any("foreign" in str(text) for text in formats)
    assert logging.getLogger("alembic").level == logging.NOTSET
