"""``larp db check``: whether revision files and database fit together, and that it only looks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import HEAD, SCHEMA, dump, held_mutex, name_of, query
from tests.findings import HERO, MODELS, check, codes, found
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import ForeignProject, sql
from tests.servers import PASSWORD, Server

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


def test_a_project_of_others_is_in_order(larp: Larp, modelled_project: ForeignProject) -> None:
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


def test_pending_revisions_are_named(larp: Larp, modelled_project: ForeignProject) -> None:
    """Exit 3 until they are applied."""
    modelled_project.revision("a1", sql("SELECT 1"), after="hero")
    modelled_project.revision("b2", sql("SELECT 2"), after="a1")

    outcome = check(larp)

    assert found(outcome) == [("pending", "not applied: a1, b2")]
    assert outcome.document["error"]["hint"].startswith("larp db migrate")


def test_a_database_that_is_ahead_is_named(larp: Larp, ready: str) -> None:
    """The revision that is not among the files is told."""
    query(ready, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")

    ((code, message),) = found(check(larp))

    assert code == "ahead"
    assert "fff999" in message


def test_several_heads_are_named(larp: Larp, modelled_project: ForeignProject) -> None:
    """Two branches are a finding, also where both are applied."""
    modelled_project.revision("left", sql("SELECT 1"), after="hero")
    modelled_project.revision("right", sql("SELECT 2"), after="hero")

    assert codes(check(larp)) == ["several_heads", "pending"]
    assert larp("db", "migrate", "heads").exit_code == ExitCode.OK
    outcome = check(larp)
    assert codes(outcome) == ["several_heads"]
    assert "models equal schema" in outcome.result["checked"]
    assert "merge heads" in outcome.document["error"]["hint"]


# --- files and indexes ----------------------------------------------------------------


def test_a_file_that_was_edited_after_it_ran_is_named(
    larp: Larp, modelled_project: ForeignProject
) -> None:
    """The ledger knows what the file was; a revision that did not run may be edited."""
    path = modelled_project.directory / "scripts" / "versions" / "hero.py"
    path.write_text(f"{path.read_text()}\n# an afterthought\n")

    ((code, message),) = found(check(larp))

    assert code == "edited"
    assert str(path) in message


def test_a_file_edited_before_it_was_stamped_again_is_in_order(
    larp: Larp, modelled_project: ForeignProject, empty: str
) -> None:
    """A stamp says that the file as it is now stands for the schema, whatever ran before."""
    confirm = ("--confirm", name_of(empty))
    assert larp("db", "rollback", *confirm).exit_code == ExitCode.OK  # it leaves the table
    path = modelled_project.revision("hero", HERO, downgrade=sql("DROP TABLE hero"))
    assert larp("db", "stamp", "head", *confirm).exit_code == ExitCode.OK

    assert found(check(larp)) == []

    assert larp("db", "rollback", *confirm).exit_code == ExitCode.OK
    assert larp("db", "migrate").exit_code == ExitCode.OK
    path.write_text(f"{path.read_text()}\n# an afterthought\n")
    assert codes(check(larp)) == ["edited"]


def test_a_stamp_stands_for_the_files_below_it_too(
    larp: Larp, modelled_project: ForeignProject, empty: str
) -> None:
    """Who stamps a database from base to head says it of every file on the way."""
    modelled_project.revision("r2", sql("SELECT 2"), after="hero")
    assert larp("db", "migrate").exit_code == ExitCode.OK
    confirm = ("--confirm", name_of(empty))
    assert larp("db", "stamp", "base", *confirm).exit_code == ExitCode.OK
    path = modelled_project.revision("hero", HERO, downgrade=sql("DROP TABLE hero"))
    assert larp("db", "stamp", "head", *confirm).exit_code == ExitCode.OK

    assert found(check(larp)) == [], path


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
    larp: Larp, modelled_project: ForeignProject, template: str, name: str, fits: bool
) -> None:
    """A project with a file_template of its own has its files held to it."""
    ini = Path(modelled_project.config)
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\nfile_template = {template}"))
    versions = modelled_project.directory / "scripts" / "versions"
    (versions / "hero.py").rename(versions / f"{name}.py")

    outcome = check(larp)

    assert codes(outcome) == ([] if fits else ["unnamed"])
    assert "file names" in outcome.result["checked"]


@pytest.mark.parametrize("docstring", ["", '""" """', '"""Revision ID: hero\n\nCreated"""'])
def test_a_revision_without_a_description_is_named(
    larp: Larp, modelled_project: ForeignProject, docstring: str
) -> None:
    """What a revision does has to stand in its file."""
    path = modelled_project.revision("next", "pass", after="hero")
    path.write_text(path.read_text().replace('"""do next"""', docstring))
    larp("db", "migrate")

    ((code, message),) = found(check(larp))

    assert code == "undocumented"
    assert str(path) in message


def test_every_finding_is_listed(larp: Larp, modelled_project: ForeignProject, empty: str) -> None:
    """One answer names all that does not fit."""
    path = modelled_project.directory / "scripts" / "versions" / "hero.py"
    path.write_text(path.read_text().replace('"""do hero"""', ""))
    query(empty, "CREATE TABLE stray (id int)")

    listed = codes(check(larp))
    plain = larp("db", "check")

    assert listed == ["model_drift", "edited", "undocumented"]
    assert plain.exit_code == ExitCode.NEGATIVE
    assert all(code in plain.stdout for code in listed)
    assert PASSWORD not in plain.stdout + plain.stderr


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


def test_what_env_py_prints_stays_off_stdout(larp: Larp, modelled_project: ForeignProject) -> None:
    """With --json stdout is one document."""
    text = modelled_project.environment.read_text()
    modelled_project.environment.write_text(f"{text}\nprint('hello from env.py')\n")

    document: dict[str, Any] = larp("db", "check", "--json").document

    assert document["exit_code"] == ExitCode.OK
