"""``larp doctor``: one report, of use when everything is broken, without a secret."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from larp_cli.doctor import report
from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.databases import HEAD
from tests.poolers import pgbouncer
from tests.projects import foreign_project
from tests.servers import PASSWORD, Server, free_port


def sections(outcome: Outcome) -> dict[str, dict[str, str]]:
    """Return the facts of each section by name."""
    return {
        section["title"]: {fact["name"]: fact["value"] for fact in section["facts"]}
        for section in outcome.result["sections"]
    }


def problems(outcome: Outcome) -> dict[str, str]:
    """Return why sections have no more."""
    found = {section["title"]: section["problem"] for section in outcome.result["sections"]}
    return {title: problem for title, problem in found.items() if problem}


def test_a_healthy_installation_is_described_whole(larp: Larp, initialised: str) -> None:
    """Versions, machine, settings with origins, connection, server, schema, ledger and health."""
    outcome = larp("doctor", "--json", env={"DATABASE_URL": initialised})
    found = sections(outcome)

    assert outcome.exit_code == ExitCode.OK
    assert problems(outcome) == {}
    assert found["settings"]["DATABASE_URL"].endswith("(from environment)")
    assert found["connection"]["TLS"] == "none"
    assert found["connection"]["pooler between"] == "no"
    assert found["server settings"]["max_connections"] == "200"
    assert found["schema"]["revisions"] == HEAD
    assert found["schema"][f"run of {HEAD}"].startswith("up succeeded")
    assert found["health"]["database"].startswith("pass")


def test_it_works_without_a_database(larp: Larp, dead_database: str) -> None:
    """What cannot be found out says why, and all the rest is there."""
    outcome = larp("doctor", "--json", env={"DATABASE_URL": dead_database})

    assert outcome.exit_code == ExitCode.OK
    assert set(problems(outcome)) == {"connection", "server settings", "schema"}
    assert "no server listens" in problems(outcome)["connection"]
    assert "larp" in sections(outcome)["versions"]


def test_each_way_to_the_database_is_tried_once(
    larp: Larp, initialised: str, dead_database: str
) -> None:
    """Of two URLs each is told by itself, and what needs the broken one takes the other."""
    environment = {"DATABASE_URL": initialised, "DATABASE_MIGRATION_URL": dead_database}
    outcome = larp("doctor", "--json", env=environment)

    assert sections(outcome)["connection"]["standby"] == "no"
    assert "no server listens" in problems(outcome)["connection for migrations"]
    assert sections(outcome)["schema"]["revisions"] == HEAD
    assert sections(outcome)["health"]["database"].startswith("pass")


@pytest.mark.parametrize("options", [(), ("--timeout", "3")], ids=["by itself", "--timeout"])
def test_an_environment_that_hangs_costs_its_section(
    larp: Larp,
    tmp_path: Path,
    initialised: str,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody's env.py that never returns is cut off, and the report is there."""
    monkeypatch.setattr(report, "SECTION_DEADLINE", 2.0)
    project = foreign_project(tmp_path / "theirs", before="import time; time.sleep(60)")
    project.chain("pass")
    environment = {"DATABASE_URL": initialised}
    outcome = larp("doctor", "--json", "-c", project.config, *options, env=environment)

    assert outcome.exit_code == ExitCode.OK
    assert problems(outcome)["schema"].startswith("not finished within ")
    assert "database" in sections(outcome)["connection"]


def test_a_server_that_says_nothing_costs_one_timeout(larp: Larp) -> None:
    """A port that takes connections and never answers is given up once, not by every section."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://larp@127.0.0.1:{silent.getsockname()[1]}/larp"
        settings = {"DATABASE_URL": url, "DATABASE_CONNECT_TIMEOUT": "1"}
        outcome = larp("doctor", "--json", env=settings)

    assert outcome.exit_code == ExitCode.OK
    assert problems(outcome)["connection"].endswith("did not answer in time")
    assert problems(outcome)["server settings"] == "no connection, see above"
    assert problems(outcome)["schema"] == "no connection, see above"


@pytest.mark.parametrize(
    ("mode", "said"), [("session", "in session mode"), ("transaction", "would not hold")]
)
def test_a_pooler_is_told_with_what_it_means(
    larp: Larp, server: Server, server_directory: Path, initialised: str, mode: str, said: str
) -> None:
    """Whether migrations can go through it is what there is to know of a pooler."""
    with pgbouncer(server, server_directory, mode) as pooler:
        outcome = larp("doctor", "--json", env={"DATABASE_URL": pooler.url(initialised)})

    assert said in sections(outcome)["connection"]["pooler between"]


def test_it_works_with_settings_that_are_wrong(larp: Larp) -> None:
    """The faults are told where the settings would be."""
    outcome = larp("doctor", "--json", env={"SERVE_PORT": "many", "ENVIRONMENT": "production"})

    assert outcome.exit_code == ExitCode.OK
    assert sections(outcome)["settings"]["SERVE_PORT"].startswith("WRONG")


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--debug",)])
def test_it_shows_no_secret(larp: Larp, initialised: str, arguments: tuple[str, ...]) -> None:
    """It is made to be pasted where everybody reads it."""
    environment = {"DATABASE_URL": initialised, "SECRET_KEY": "Zp8vQ2mT7rW4xK9sL3nB6cD1fG5hJ0aE"}
    outcome = larp("doctor", *arguments, env=environment)
    told = outcome.stdout + outcome.stderr

    assert environment["SECRET_KEY"] not in told
    assert PASSWORD not in told
    assert initialised.split(":")[2].partition("@")[0] not in told


def test_a_short_timeout_still_gives_a_report(larp: Larp) -> None:
    """What there is no time for says so; the report is whole, and ends with 0."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://larp@127.0.0.1:{silent.getsockname()[1]}/larp"
        outcome = larp("doctor", "--json", "--timeout", "1.5", env={"DATABASE_URL": url})

    assert outcome.exit_code == ExitCode.OK
    assert "larp" in sections(outcome)["versions"]
    assert "connection" in problems(outcome)


def test_two_urls_that_lead_to_two_databases_are_told(
    larp: Larp, initialised: str, database: str
) -> None:
    """What is migrated is then not what is used, and every other command is content."""
    told = []
    for url in (initialised, database):
        settings = {"DATABASE_URL": initialised, "DATABASE_MIGRATION_URL": url}
        found = sections(larp("doctor", "--json", env=settings))
        told.append(found["connection for migrations"]["both URLs lead to"])

    assert told == ["one database", "WRONG: two databases"]


def test_each_of_several_hosts_is_told(larp: Larp, initialised: str, postgresql_16: Server) -> None:
    """Two that take writes are a split brain, and nothing else would say so."""
    hosts = f"@127.0.0.1:{postgresql_16.port},127.0.0.1:{free_port()},127.0.0.1:"
    url = initialised.replace("@127.0.0.1:", hosts).rpartition("/")[0] + "/postgres"
    found = sections(larp("doctor", "--json", env={"DATABASE_URL": url}))["connection"]

    roles = [value for name, value in found.items() if name.startswith("host ")]
    assert roles.count("a primary") == 2
    assert any("no server listens" in role for role in roles)
    assert found["WRONG"].startswith("more than one host is a primary")


def test_a_report_makes_no_database(larp: Larp, larp_home: Path) -> None:
    """Who only asks must not find a server installed by it."""
    outcome = larp("doctor", "--json")

    assert problems(outcome)["connection"] == "there is no embedded database yet"
    assert not larp_home.exists()


def test_a_wrong_setting_hides_no_other(larp: Larp, initialised: str) -> None:
    """All that is set is listed with its origin, and the fault is told once."""
    settings = {"SERVE_PORT": "many", "DATABASE_URL": initialised}
    outcome = larp("doctor", "--json", env=settings)

    assert sections(outcome)["settings"]["DATABASE_URL"] == "set (from environment)"
    assert problems(outcome)["connection"] == "the settings are invalid, see above"
    assert outcome.stdout.count("SERVE_PORT") == 1
