"""The command that a stopped run names goes on where it stopped, and no further."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import query, versions
from tests.projects import ForeignProject, foreign_project

GUARDED = 'op.execute("SELECT 1 / (SELECT count(*) FROM good)")'
"""Fails until the table has a row."""


@pytest.fixture
def project(tmp_path: Path, database: str) -> ForeignProject:
    """Eight revisions, of which the third goes up, and the fifth down, only where all is good."""
    query(database, "CREATE TABLE good ()")
    project = foreign_project(tmp_path / "theirs")
    names = [f"r{number}" for number in range(1, 9)]
    for name, below in zip(names, [None, *names], strict=False):
        up, down = (GUARDED if name == number else "pass" for number in ("r3", "r5"))
        project.revision(name, up, after=below, downgrade=down)
    return project


def hinted(hint: str) -> list[str]:
    """Return the arguments of the larp command that a hint ends in."""
    return shlex.split(hint.rpartition("larp ")[2])


def test_a_step_forward_that_failed_goes_on_to_the_same_revision(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """Of ``+4`` two were done: two are left."""
    environment = {"DATABASE_URL": database}
    failed = larp("db", "migrate", "+4", "-c", project.config, "--json", env=environment)
    query(database, "INSERT INTO good DEFAULT VALUES")
    again = larp(*hinted(failed.document["error"]["hint"]), env=environment)

    assert failed.exit_code == ExitCode.MIGRATION_FAILED
    assert again.exit_code == ExitCode.OK, again.stderr
    assert versions(database, "alembic_version") == ["r4"]


def test_steps_back_that_failed_go_on_to_the_same_revision(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """Of five steps three were done: two are left, not five."""
    environment = {"DATABASE_URL": database}
    query(database, "INSERT INTO good DEFAULT VALUES")
    larp("db", "migrate", "-c", project.config, env=environment)
    query(database, "TRUNCATE good")
    arguments = ("db", "rollback", "--steps", "5", "--yes", "-c", project.config, "--json")
    failed = larp(*arguments, env=environment)
    query(database, "INSERT INTO good DEFAULT VALUES")
    again = larp(*hinted(failed.document["error"]["hint"]), "--yes", env=environment)

    assert failed.exit_code == ExitCode.MIGRATION_FAILED
    assert again.exit_code == ExitCode.OK, again.stderr
    assert versions(database, "alembic_version") == ["r3"]
