"""Projects whose env.py or revisions end the program, fail late, or ask Alembic back."""

from __future__ import annotations

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.integration.cli.db.conftest import Build
from tests.projects import sql

EXIT = "raise SystemExit(0)"

ASKING = """
print("asked:", context.get_revision_argument(), context.get_starting_revision_argument(),
      context.get_tag_argument())
"""

SLOW = """
def slow(*_):
    connection = context.get_bind()
    connection.exec_driver_sql("SET LOCAL statement_timeout = 50")
    connection.exec_driver_sql("SELECT pg_sleep(20)")
"""


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("command", ["status", "migrate", "check"])
def test_an_environment_that_exits_is_an_error(larp: Larp, build: Build, command: str) -> None:
    """Nothing was done, so nothing may look like success."""
    project = build(before=EXIT)
    project.chain("pass")

    outcome = larp("db", command, "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "called sys.exit(0)" in outcome.document["error"]["message"]


@pytest.mark.usefixtures("empty")
def test_a_revision_that_exits_has_failed(larp: Larp, build: Build) -> None:
    """The message names the revision, and what is committed before it."""
    project = build()
    project.chain("pass", EXIT)

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    message = outcome.document["error"]["message"]
    assert "revision r2" in message and "called sys.exit(0)" in message
    assert "committed before it in this run: r1" in message


@pytest.mark.usefixtures("empty")
def test_a_revision_file_that_exits_when_read_is_an_error(larp: Larp, build: Build) -> None:
    """Reading it is not yet running it: exit 4, whatever code it asks for."""
    project = build()
    with project.revision("r1").open("a") as file:
        file.write("\n\nraise SystemExit('not today')\n")

    outcome = larp("db", "status", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "called sys.exit('not today')" in outcome.document["error"]["message"]


@pytest.mark.usefixtures("empty")
def test_an_environment_may_ask_for_the_revision_argument(larp: Larp, build: Build) -> None:
    """Everything that Alembic's documentation lets env.py ask for has an answer."""
    project = build(models=ASKING)
    project.chain(sql("CREATE TABLE a (id int)"))

    outcome = larp("db", "migrate", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert "asked: " in outcome.stderr and "r1" in outcome.stderr


@pytest.mark.usefixtures("empty")
def test_a_timeout_while_comparing_is_told_as_one(larp: Larp, build: Build) -> None:
    """The files are in order: it is the server that ran out of time."""
    project = build(models=SLOW, options="include_name=slow")
    project.chain(sql("CREATE TABLE a (id int)"))
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK

    outcome = larp("db", "check", "-c", project.config, "--json")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "cannot be read" not in outcome.document["error"]["message"]
    assert "exceeded its timeout" in outcome.document["error"]["message"]
