"""Help: every command has one, it starts with examples, and the examples are right."""

from __future__ import annotations

import shlex

import pytest

from larp_cli.cli.commands import split_help
from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.unit.cli.command_tree import Found, commands, everything, parse

every_level = pytest.mark.parametrize(
    "found", everything(), ids=lambda found: found.words or "larp"
)
every_command = pytest.mark.parametrize("found", commands(), ids=lambda found: found.words)

EXAMPLES = [
    (found, example) for found in everything() for example in split_help(found.command.help)[1]
]

SHARED_OPTIONS = (
    "--output",
    "--json",
    "--quiet",
    "--verbose",
    "--debug",
    "--no-color",
    "--timeout",
)


@every_level
def test_help_starts_with_examples(found: Found, larp: Larp) -> None:
    """What people copy comes first, then how it is used in general."""
    outcome = larp(*found.path, "--help")

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stderr == ""
    lines = outcome.stdout.splitlines()
    assert lines[0] == "Examples:"
    assert lines[1].startswith("  larp")
    assert outcome.stdout.index("Examples:") < outcome.stdout.index("Usage: larp")


@every_level
def test_help_describes_the_command_in_a_sentence(found: Found) -> None:
    """Every docstring has a description, and it ends as a sentence does."""
    description, examples = split_help(found.command.help)

    assert description.partition("\n")[0].endswith((".", ":", ",")) or "\n" in description
    assert description.rstrip().endswith(".")
    assert examples


@every_level
def test_help_fits_a_terminal_of_eighty_columns(
    found: Found, larp: Larp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in it wraps at the usual width."""
    outcome = larp(*found.path, "--help", env={"COLUMNS": "80"})

    assert [line for line in outcome.stdout.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(("found", "example"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_each_example_resolves_to_an_existing_command(found: Found, example: str) -> None:
    """An example that cannot be typed is worse than none."""
    words = shlex.split(example, comments=True)
    assert words[0] == "larp"
    for shell_syntax in (">", "|", "&&"):
        if shell_syntax in words:
            words = words[: words.index(shell_syntax)]

    path = parse(words[1:])

    assert path[: len(found.path)] == found.path


@every_command
def test_every_option_has_a_help(found: Found) -> None:
    """An option nobody explains is one nobody uses."""
    silent = [
        param.name
        for param in found.command.params
        if param.param_type_name == "option" and not param.help
    ]

    assert silent == []


@every_level
def test_every_level_takes_the_shared_options(found: Found, larp: Larp) -> None:
    """They stand in the help of the root, of each group and of each command."""
    text = larp(*found.path, "--help").stdout

    assert [option for option in SHARED_OPTIONS if option not in text] == []


@pytest.mark.parametrize(
    "words", [(), ("db",), ("config",)], ids=["larp", "larp db", "larp config"]
)
def test_a_missing_command_is_answered_with_the_help(words: tuple[str, ...], larp: Larp) -> None:
    """The help stands on stderr, and the exit code says that nothing was done."""
    outcome = larp(*words)

    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("Examples:")
    assert "Commands:" in outcome.stderr
    assert "error:" not in outcome.stderr


def test_the_version_is_one_line_on_stdout(larp: Larp) -> None:
    """Scripts read it."""
    outcome = larp("--version")

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stdout.startswith("larp ")
    assert len(outcome.stdout.splitlines()) == 1
