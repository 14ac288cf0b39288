"""Options that may be given before or after the command's name, and variables beside them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp

REVISION = ("db", "revision", "--empty", "--message", "x")

PROJECTS = {
    "flag before the command": (("-c", "flag", *REVISION), "flag"),
    "flag after the group": (("db", "-c", "flag", *REVISION[1:]), "flag"),
    "flag after the command": ((*REVISION, "-c", "flag"), "flag"),
    "flags at both places": (("-c", "earlier", *REVISION, "-c", "flag"), "flag"),
    "flag twice at one place": ((*REVISION, "-c", "earlier", "-c", "flag"), "flag"),
    "no flag": (REVISION, "variable"),
}


@pytest.mark.parametrize(("line", "chosen"), PROJECTS.values(), ids=list(PROJECTS))
def test_a_flag_wins_over_its_variable_wherever_it_is_given(
    line: tuple[str, ...], chosen: str, larp: Larp
) -> None:
    """ALEMBIC_CONFIG counts only where no --alembic-config is given; of two flags the later."""
    outcome = larp(*line, env={"ALEMBIC_CONFIG": "variable"})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert f"no Alembic configuration at {chosen}" in outcome.stderr


@pytest.mark.parametrize(
    ("line", "is_document"),
    [
        ("--json config secret --output plain", False),
        ("config --json secret --output plain", False),
        ("config secret --json --output plain", False),
        ("--output plain config secret --json", True),
        ("config secret --output plain --json", True),
        ("--output plain config --output human secret --output json", True),
        ("--json frobnicate --output plain", False),
        ("--output=plain frobnicate --json", True),
    ],
)
def test_the_later_of_two_output_formats_wins(line: str, is_document: bool, larp: Larp) -> None:
    """--json is short for --output json, also in its place on the command line."""
    outcome = larp(*line.split())

    assert outcome.stdout.startswith("{") == is_document


def test_the_later_of_two_timeouts_wins(larp: Larp, dead_database: str) -> None:
    """An alias with an option in it can be overruled on the command line."""
    outcome = larp(
        *("--timeout", "86400", "db", "wait", "--timeout", "0.1"),
        env={"DATABASE_URL": dead_database},
    )

    assert outcome.exit_code == ExitCode.UNREACHABLE


def test_the_flags_of_the_server_win_over_its_settings(larp: Larp, dead_database: str) -> None:
    """--host and --port name what cannot be listened on, not SERVE_HOST and SERVE_PORT."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {"DATABASE_URL": dead_database, "SERVE_HOST": "192.0.2.1", "SERVE_PORT": "9"}

        outcome = larp("serve", "--host", "127.0.0.1", "--port", port, env=settings)

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert f"cannot listen on 127.0.0.1 port {port}" in outcome.stderr


@pytest.mark.parametrize("option", ["--host", "--socket"])
def test_an_empty_address_is_refused(option: str, larp: Larp) -> None:
    """A variable that is not set must not mean every address."""
    outcome = larp("serve", option, "", env={"SERVE_HOST": "127.0.0.1"})

    assert outcome.exit_code == ExitCode.USAGE
    assert f"Invalid value for '{option}': it is empty" in outcome.stderr


@pytest.mark.parametrize(
    ("settings", "flags", "level"),
    [
        ({"LOG_LEVEL": "DEBUG"}, ("--quiet",), "ERROR"),
        ({"LOG_LEVEL": "ERROR"}, ("--debug",), "DEBUG"),
    ],
)
def test_the_flags_for_logging_win_over_the_log_level(
    settings: Mapping[str, str], flags: tuple[str, ...], level: str, larp: Larp, dead_database: str
) -> None:
    """--quiet and --debug say how much is logged, whatever LOG_LEVEL says."""
    larp("db", "status", *flags, env={"DATABASE_URL": dead_database, **settings})

    assert logging.getLevelName(logging.getLogger().level) == level
