"""How larp's own project does under plain ``alembic``, as it is used without larp."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from larp_cli.postgres.embedded import installation
from tests.conftest import ROOT, Larp
from tests.databases import FIRST, HEAD, SCHEMA, dump, has, query, versions
from tests.projects import plain_alembic
from tests.revisions import copy_project


def home(*arguments: str, url: str) -> str:
    """Run plain ``alembic`` at the top of the repository; returns its stdout."""
    done = plain_alembic(*arguments, directory=ROOT, url=url)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plain_alembic_and_larp_end_in_the_same_schema(
    larp: Larp, database: str, initialised: str
) -> None:
    """`alembic upgrade head` makes what `larp db init` makes, and larp finds it at head."""
    home("upgrade", "head", url=database)

    assert versions(database) == [HEAD]
    outcome = larp("db", "status", "--json", env={"DATABASE_URL": database})
    assert outcome.result["state"] == "at_head"
    ours = f"--exclude-table={SCHEMA}.larp_*"  # the ledger and the stamp, which only larp makes
    assert dump(database, ours) == dump(initialised, ours)


def test_current_and_check_agree_with_larp(initialised: str) -> None:
    """After `larp db init`, `alembic current` shows the head and `alembic check` finds nothing."""
    assert f"{HEAD} (head)" in home("current", url=initialised)
    assert "No new upgrade operations detected" in home("check", url=initialised)


def test_check_leaves_the_tables_of_others_alone(initialised: str) -> None:
    """A table in another schema is not proposed to be dropped."""
    query(initialised, "CREATE TABLE public.theirs (id int)")
    query(initialised, "CREATE SCHEMA others")
    query(initialised, "CREATE TABLE others.theirs (id int)")

    assert "No new upgrade operations detected" in home("check", url=initialised)


def test_check_finds_a_table_of_ours_that_no_model_knows(initialised: str) -> None:
    """What is in our schema and not in the models is drift."""
    query(initialised, f"CREATE TABLE {SCHEMA}.stray (id int)")

    done = plain_alembic("check", directory=ROOT, url=initialised)

    assert done.returncode != 0
    assert "stray" in done.stdout + done.stderr


def test_every_revision_goes_up_down_and_up_again(database: str) -> None:
    """Each downgrade undoes its upgrade: the second time up ends in the same catalogue."""
    home("upgrade", "head", url=database)
    first = dump(database)

    home("downgrade", "base", url=database)
    assert versions(database) == []
    assert query(database, "SELECT FROM pg_proc WHERE proname = 'set_updated_at'") == []
    home("upgrade", "head", url=database)

    assert dump(database) == first


def test_the_sql_of_an_upgrade_runs_through_psql(database: str, initialised: str) -> None:
    """``upgrade head --sql`` is a script that a database administrator can run."""
    script = home("upgrade", "head", "--sql", url=database)
    assert not has(database, f"{SCHEMA}.alembic_version")

    psql = [str(installation() / "psql"), "-v", "ON_ERROR_STOP=1", "-q", database]
    done = subprocess.run(psql, input=script, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert versions(database) == [HEAD]
    arguments = (f"--schema={SCHEMA}", f"--exclude-table={SCHEMA}.larp_*")
    assert dump(database, *arguments) == dump(initialised, *arguments)
    assert "No new upgrade operations detected" in home("check", url=database)


def test_the_sql_of_a_downgrade_runs_through_psql(initialised: str) -> None:
    """The way back is a script too."""
    script = home("downgrade", f"{HEAD}:base", "--sql", url=initialised)

    psql = [str(installation() / "psql"), "-v", "ON_ERROR_STOP=1", "-q", initialised]
    done = subprocess.run(psql, input=script, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert versions(initialised) == []


@pytest.mark.parametrize("schema", ["Larp", "select"])
def test_another_schema_is_taken_from_the_settings(
    database: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain alembic reads DATABASE_SCHEMA like larp does, and quotes it."""
    monkeypatch.setenv("DATABASE_SCHEMA", schema)
    copy_project(tmp_path / "copy")

    done = plain_alembic("upgrade", "head", directory=tmp_path / "copy", url=database)

    assert done.returncode == 0, done.stderr
    assert versions(database, f'"{schema}".alembic_version') == [FIRST]
    done = plain_alembic("current", directory=tmp_path / "copy", url=database)
    assert f"{FIRST} (head)" in done.stdout


def test_a_new_revision_is_named_by_date_and_slug(initialised: str, tmp_path: Path) -> None:
    """`alembic revision` names the file so that a listing tells the order and the topic."""
    shutil.copytree(ROOT / "alembic", tmp_path / "alembic")
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    arguments = ("revision", "-m", "Add the table of heroes, at last!")

    done = plain_alembic(*arguments, directory=tmp_path, url=initialised)

    assert done.returncode == 0, done.stderr
    found = {path.name for path in (tmp_path / "alembic" / "versions").glob("*.py")}
    (made,) = found - {path.name for path in (ROOT / "alembic" / "versions").glob("*.py")}
    assert re.fullmatch(r"\d{8}_\d{4}_add_the_table_of_heroes_at_last\.py", made)
    text = (tmp_path / "alembic" / "versions" / made).read_text()
    assert f"down_revision: str | Sequence[str] | None = '{HEAD}'" in text
    upgraded = plain_alembic("upgrade", "head", directory=tmp_path, url=initialised)
    assert upgraded.returncode == 0, upgraded.stderr


def test_an_unreachable_database_is_no_success(dead_database: str) -> None:
    """Plain alembic ends badly too, and does not show the password."""
    done = plain_alembic("upgrade", "head", directory=ROOT, url=dead_database)

    assert done.returncode != 0
    assert "sesame" not in done.stdout + done.stderr


def test_there_is_no_package_that_would_shadow_alembic() -> None:
    """An ``__init__.py`` in ``alembic/`` would hide the library from everybody."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
