"""How many connections a command makes: each costs a fork of the server, and round trips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.databases import name_of
from tests.projects import ForeignProject, foreign_project, sql
from tests.servers import Server
from tests.wire import Wire, recorded


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """A proxy in front of the server, which counts."""
    with recorded(server) as wire:
        yield wire


@pytest.fixture
def project(tmp_path: Path) -> ForeignProject:
    """A project of somebody else with one revision."""
    project = foreign_project(tmp_path / "theirs")
    project.revision("r1", sql("CREATE TABLE first ()"), downgrade=sql("DROP TABLE first"))
    return project


def run(larp: Larp, wire: Wire, url: str, *arguments: str) -> Outcome:
    """Run a command through the proxy; only what it does is recorded."""
    wire.clear()
    outcome = larp("db", *arguments, env={"DATABASE_URL": wire.url(url)})
    assert outcome.exit_code == ExitCode.OK, outcome.stdout + outcome.stderr
    return outcome


def test_initialising_an_empty_server_takes_four_connections(
    larp: Larp, wire: Wire, missing_database: str
) -> None:
    """One finds no database, one creates it, one holds the mutex, one runs the revisions."""
    run(larp, wire, missing_database, "init")

    databases = [connection.database for connection in wire.connections]
    name = name_of(missing_database)
    assert databases == [name, "postgres", name, name]


def test_migrating_takes_two_connections(larp: Larp, wire: Wire, database: str) -> None:
    """The one that looks becomes the one that holds the mutex; the other runs the revisions."""
    run(larp, wire, database, "migrate")

    assert [each.application for each in wire.connections] == ["larp", "larp-migrate"]


def test_migrating_another_project_takes_three_connections(
    larp: Larp, wire: Wire, database: str, project: ForeignProject
) -> None:
    """Its env.py gets one of its own to say where the version table is."""
    run(larp, wire, database, "migrate", "-c", project.config)

    assert len(wire.connections) == 3


@pytest.mark.parametrize(("foreign", "statements"), [(False, 3), (True, 5)])
def test_migrating_a_database_at_head_takes_one_connection(
    larp: Larp, wire: Wire, database: str, project: ForeignProject, foreign: bool, statements: int
) -> None:
    """A container starts with it: the timeouts, and what the version table says."""
    arguments = ("migrate", "-c", project.config) if foreign else ("migrate",)
    run(larp, wire, database, *arguments)

    run(larp, wire, database, *arguments)

    assert len(wire.connections) == 1
    assert len(wire.statements) == statements, wire.statements


def test_undoing_and_stamping_take_three_connections(
    larp: Larp, wire: Wire, initialised: str
) -> None:
    """None is kept open while somebody is asked; the two after it are those of a migration."""
    for arguments in (("rollback",), ("stamp", "head")):
        run(larp, wire, initialised, *arguments, "--confirm", name_of(initialised))

        applications = [each.application for each in wire.connections]
        assert applications == ["larp", "larp", "larp-migrate"]


def test_resetting_takes_five_connections(larp: Larp, wire: Wire, initialised: str) -> None:
    """Those of an undoing, one that drops, and those of a migration."""
    run(larp, wire, initialised, "reset", "--no-backup", "--confirm", name_of(initialised))

    applications = [each.application for each in wire.connections]
    assert applications == ["larp", "larp", "larp-reset", "larp", "larp-migrate"]


def test_a_backup_before_a_reset_takes_two_connections_more(
    larp: Larp, wire: Wire, initialised: str
) -> None:
    """One of larp, and one of pg_dump."""
    run(larp, wire, initialised, "reset", "--confirm", name_of(initialised))

    assert len(wire.connections) == 7


@pytest.mark.parametrize("command", ["status", "history", "plan"])
def test_looking_takes_one_connection(
    larp: Larp, wire: Wire, initialised: str, command: str
) -> None:
    """All that is asked about one database is asked on one connection."""
    run(larp, wire, initialised, command)

    assert len(wire.connections) == 1


def test_the_stamps_are_read_once_before_and_once_after_the_work(
    larp: Larp, wire: Wire, initialised: str
) -> None:
    """Besides the look with the mutex held; the environment's stamp is read with the first two."""
    run(larp, wire, initialised, "rollback", "--confirm", name_of(initialised))

    run(larp, wire, initialised, "migrate")

    (control,) = wire.of("larp")
    assert sum("SELECT version_num FROM" in text for text in control.statements) == 3
    assert sum("SELECT value FROM" in text for text in control.statements) == 2
