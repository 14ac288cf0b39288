"""Every command with --json: one document, on success and on failure alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from larp_cli.errors import ExitCode
from larp_cli.requirements.backups import Backups
from tests.conftest import Larp, LarpProcess, Outcome
from tests.requirements import LockableProject
from tests.unit.cli.command_tree import commands

ENVELOPE = ["schema_version", "command", "exit_code", "changed", "result", "error"]


@dataclass(frozen=True)
class Case:
    """A command line and what it needs."""

    line: str
    database: str | None = None
    """The fixture whose URL is DATABASE_URL; None for the embedded server or none at all."""
    exit_code: ExitCode = ExitCode.OK
    env: dict[str, str] = field(default_factory=dict)


def refused(line: str) -> Case:
    """Make a case in which nobody listens at DATABASE_URL."""
    return Case(line, "dead_database", ExitCode.UNREACHABLE)


IN_PRODUCTION = {"ENVIRONMENT": "production"}

SUCCESS = {
    "db init": Case("db init", "database"),
    "db migrate": Case("db migrate", "initialised"),
    "db status": Case("db status", "initialised"),
    "db history": Case("db history", "initialised"),
    "db reset": Case("db reset --yes --no-backup", "initialised"),
    "db backup": Case("db backup schema.dump", "initialised"),
    "db restore": Case("db restore schema.dump --yes --no-backup", "backed_up"),
    "db rollback": Case("db rollback --yes", "initialised"),
    "db stamp": Case("db stamp head --yes", "initialised"),
    "db check": Case("db check", "initialised"),
    "db plan": Case("db plan", "initialised"),
    "db revision": Case("db revision -m unneeded", "initialised"),
    "db seed": Case("db seed", "initialised"),
    "db shell": Case("db shell -- --no-psqlrc --command=SELECT(1)", "initialised"),
    "db wait": Case("db wait", "database"),
    "db start": Case("db start"),
    "db stop": Case("db stop"),
    "health": Case("health", "initialised"),
    "requirements update": Case("requirements update", "lockable", env={"PIP_NO_INDEX": "1"}),
    "requirements check": Case("requirements check", "locked"),
    "requirements rollback": Case("requirements rollback", "locked"),
    "config show": Case("config show"),
    "config check": Case("config check"),
    "config template": Case("config template"),
    "config secret": Case("config secret"),
    "doctor": Case("doctor", "initialised"),
}
"""A command line of each command that ends in 0."""

FAILURE = {
    "db init": refused("db init"),
    "db migrate": refused("db migrate"),
    "db status": Case("db status", "database", ExitCode.NEGATIVE),
    "db history": refused("db history"),
    "db reset": Case("db reset", "initialised", ExitCode.REFUSED),
    "db backup": Case("db backup", "database", ExitCode.CONFIGURATION),
    "db restore": Case("db restore schema.dump", "backed_up", ExitCode.REFUSED),
    "db rollback": Case("db rollback", "initialised", ExitCode.REFUSED),
    "db stamp": refused("db stamp head"),
    "db check": Case("db check", "database", ExitCode.NEGATIVE),
    "db plan": refused("db plan"),
    "db revision": refused("db revision -m unneeded"),
    "db seed": refused("db seed"),
    "db shell": refused("db shell"),
    "db wait": refused("db wait --timeout 0.01"),
    "db start": Case("db start", None, ExitCode.CONFIGURATION, {"SERVE_PORT": "x"}),
    "db stop": Case("db stop", None, ExitCode.CONFIGURATION, {"SERVE_PORT": "x"}),
    "health": Case("health", "database", ExitCode.NEGATIVE),
    "serve": Case("serve --host no.such.host.invalid", "database", ExitCode.CONFIGURATION),
    "requirements update": Case("requirements update", None, ExitCode.CONFIGURATION),
    "requirements check": Case("requirements check", "lockable", ExitCode.NEGATIVE),
    "requirements rollback": Case("requirements rollback", "lockable", ExitCode.CONFIGURATION),
    "config show": Case("config show", None, ExitCode.CONFIGURATION, IN_PRODUCTION),
    "config check": Case("config check", None, ExitCode.CONFIGURATION, IN_PRODUCTION),
    "config template": Case("config template --frob", None, ExitCode.USAGE),
    "config secret": Case("config secret superfluous", None, ExitCode.USAGE),
    "doctor": Case("doctor --frob", None, ExitCode.USAGE),
}
"""A command line of each command that ends in something else."""


@pytest.fixture(autouse=True)
def seeds(isolated: None, tmp_path: Path) -> None:
    """Put development data into the current directory."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "one.sql").write_text("SELECT 1;\n")


@pytest.fixture
def backed_up(larp: Larp, initialised: str) -> str:
    """URL of a database whose backup is in the current directory."""
    larp("db", "backup", "schema.dump", env={"DATABASE_URL": initialised})
    return initialised


@pytest.fixture
def lockable(tmp_path: Path, dead_database: str) -> str:
    """URL of no use, with a project without dependencies in the current directory."""
    LockableProject(tmp_path).wants()
    return dead_database


@pytest.fixture
def locked(tmp_path: Path, larp_home: Path, lockable: str) -> str:
    """URL of no use, with lock files in the current directory, and a backup of others."""
    LockableProject(tmp_path).locked([], [])
    old = {"requirements.txt": "a==1\n", "requirements-dev.txt": "a==1\n"}
    Backups(lambda: larp_home, tmp_path).save(old)
    return lockable


def run(case: Case, larp: Larp, request: pytest.FixtureRequest) -> Outcome:
    """Run the case with --json before its words."""
    environment = dict(case.env)
    if case.database is not None:
        environment["DATABASE_URL"] = request.getfixturevalue(case.database)
    return larp("--json", *case.line.split(), env=environment)


def checked(outcome: Outcome, command: str) -> dict[str, Any]:
    """Check what holds for every document, and return it."""
    document = outcome.document
    assert list(document) == ENVELOPE
    assert document["schema_version"] == 1
    assert document["command"] == command
    assert document["exit_code"] == outcome.exit_code
    assert isinstance(document["changed"], bool)
    return document


def test_every_command_has_its_cases() -> None:
    """A command that is added is held to the contract from its first day."""
    every = {found.words for found in commands()}

    assert set(SUCCESS) == every - {"serve"}  # replaces its process: see test_serving
    assert set(FAILURE) == every


@pytest.mark.parametrize("command", sorted(SUCCESS))
def test_success_is_one_document(command: str, larp: Larp, request: pytest.FixtureRequest) -> None:
    """The result is an object, and there is no error."""
    outcome = run(SUCCESS[command], larp, request)

    document = checked(outcome, command)
    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert isinstance(document["result"], dict)
    assert document["error"] is None


@pytest.mark.parametrize("command", sorted(FAILURE))
def test_failure_is_one_document(command: str, larp: Larp, request: pytest.FixtureRequest) -> None:
    """The error has a code, a message and a hint; an answer of "no" brings its result along."""
    case = FAILURE[command]
    outcome = run(case, larp, request)

    document = checked(outcome, command)
    assert outcome.exit_code == case.exit_code, outcome.stderr
    assert set(document["error"]) == {"code", "message", "hint"}
    assert document["error"]["code"] == case.exit_code.name
    assert document["error"]["message"]
    assert document["error"]["hint"]
    assert document["changed"] is False


def test_json_is_no_different_in_a_process_of_its_own(
    larp: Larp, larp_process: LarpProcess, initialised: str
) -> None:
    """The document of the process is the whole of its stdout."""
    here = larp("db", "history", "--json", env={"DATABASE_URL": initialised})
    there = larp_process("db", "history", "--json", env={"DATABASE_URL": initialised})

    assert there.stdout == here.stdout
    assert there.exit_code == here.exit_code == ExitCode.OK
