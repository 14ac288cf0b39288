"""A wrong command line: exit code 2, a hint, and one document where JSON was asked for."""

from __future__ import annotations

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp

WRONG = {
    "unknown command": ("bd status", "No such command 'bd'", "larp --help"),
    "unknown command of a group": ("db frobnicate", "No such command", "larp db --help"),
    "unknown option": ("db status --frob", "No such option: --frob", "larp db status --help"),
    "unknown option of the root": ("--frob db status", "No such option: --frob", "larp --help"),
    "bad value": ("db wait --timeout soon", "Invalid value for '--timeout'", "larp db wait --help"),
    "bad choice": ("--output xml db status", "Invalid value for '--output'", "larp --help"),
    "missing value": ("db wait --timeout", "requires an argument", "larp db wait --help"),
    "superfluous word": ("config secret now", "unexpected extra", "larp config secret --help"),
    "for ever": ("db wait --timeout inf", "Invalid value", "larp db wait --help"),
    "never": ("db wait --timeout 0", "Invalid value", "larp db wait --help"),
    "not a number": ("db wait --timeout nan", "Invalid value", "larp db wait --help"),
}
every_wrong_line = pytest.mark.parametrize(
    ("line", "message", "hint"), WRONG.values(), ids=list(WRONG)
)

JSON_SPELLINGS = ("--json", "--output json", "--output=json")


@every_wrong_line
def test_a_wrong_command_line_ends_with_2_and_a_hint(
    line: str, message: str, hint: str, larp: Larp
) -> None:
    """The error says what is wrong, and the hint which help to read."""
    outcome = larp(*line.split())

    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.stdout == ""
    error, advice = outcome.stderr.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert advice == f"hint: {hint}"


@every_wrong_line
@pytest.mark.parametrize("spelling", JSON_SPELLINGS)
@pytest.mark.parametrize("position", ["first", "last"])
def test_json_is_one_document_wherever_it_is_asked_for(
    line: str, message: str, hint: str, spelling: str, position: str, larp: Larp
) -> None:
    """A program that asked for JSON gets JSON, even where nothing else was understood."""
    wish, words = spelling.split(), line.split()
    if line.endswith("--timeout"):  # would take what follows for its value
        words, wish = (words, wish) if position == "first" else ([*wish, *words], [])

    outcome = larp(*(wish + words if position == "first" else words + wish))

    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.document["exit_code"] == ExitCode.USAGE
    assert outcome.document["command"] == hint.removeprefix("larp").removesuffix("--help").strip()
    assert outcome.document["error"]["code"] == "USAGE"
    assert message in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"] == hint
    assert outcome.stderr == ""


def test_a_missing_command_with_json_is_a_document_too(larp: Larp) -> None:
    """Help is for people; a program gets the error."""
    outcome = larp("--json")

    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.document["error"]["message"] == "Missing command"
    assert outcome.stderr == ""


def test_what_follows_two_dashes_is_not_for_larp(larp: Larp) -> None:
    """A --json that belongs to another program does not change how we answer."""
    outcome = larp("db", "status", "--frob", "--", "--json")

    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.stdout == ""
    assert "error: No such option" in outcome.stderr


def test_a_misspelt_command_is_answered_with_the_nearest(larp: Larp) -> None:
    """The commonest error is a slip of the finger."""
    assert "Did you mean 'migrate'?" in larp("db", "mgrate").stderr
    assert "Did you mean" not in larp("db", "xyzzy").stderr


def test_a_password_on_the_command_line_is_not_repeated(larp: Larp) -> None:
    """A URL pasted in the wrong place is quoted back without its password."""
    outcome = larp("db", "status", "postgresql://larp:sesame@db/larp")

    assert outcome.exit_code == ExitCode.USAGE
    assert "sesame" not in outcome.stderr


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize(
    "words",
    [
        "db stamp", "db migrate", "db plan", "db rollback --to", "db seed --env",
        "requirements rollback",
    ],
)  # fmt: skip
def test_an_empty_name_means_nothing(larp: Larp, words: str, blank: str) -> None:
    """A variable that is not set must not stamp a database to base, or choose the first."""
    outcome = larp(*words.split(), blank)

    assert outcome.exit_code == ExitCode.USAGE
    assert "it is empty" in outcome.stderr


@pytest.mark.parametrize("seconds", ["inf", "nan", "-1", "1e9"])
def test_no_waiting_is_for_ever(larp: Larp, seconds: str) -> None:
    """What is waited for has an end."""
    assert larp("db", "migrate", "--wait", seconds).exit_code == ExitCode.USAGE
