"""Shell completion, as the shells ask for it."""

from __future__ import annotations

import pytest

from larp_cli.cli.db import NAMES
from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess


def complete(larp: Larp, shell: str, words: str) -> list[str]:
    """Ask as the script of the shell does; returns the lines of the answer."""
    outcome = larp(
        env={
            "_LARP_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
    )
    assert outcome.exit_code == ExitCode.OK
    assert outcome.stderr == ""
    return outcome.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_command_is_completed(shell: str, larp: Larp) -> None:
    """The beginning of a name leads to it, and to nothing else."""
    (line,) = complete(larp, shell, "larp db mi")

    assert "migrate" in line


def test_every_command_of_a_group_is_offered(larp: Larp) -> None:
    """After the group all its commands can follow."""
    assert complete(larp, "bash", "larp db ") == list(NAMES)


@pytest.mark.parametrize("words", ["larp --js", "larp db --js", "larp db migrate --js"])
def test_the_shared_options_are_completed_at_every_level(words: str, larp: Larp) -> None:
    """They can be given at the root, after a group and after a command."""
    assert complete(larp, "bash", words) == ["--json"]


def test_the_output_formats_are_completed(larp: Larp) -> None:
    """The values of a choice are offered."""
    assert complete(larp, "bash", "larp --output p") == ["plain"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_show_completion_writes_a_script_for_the_shell(
    shell: str, larp_process: LarpProcess
) -> None:
    """The script asks this program, in the words of that shell."""
    outcome = larp_process(
        "--show-completion", shell, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    )

    assert outcome.exit_code == ExitCode.OK
    assert f"_LARP_COMPLETE=complete_{shell}" in outcome.stdout
