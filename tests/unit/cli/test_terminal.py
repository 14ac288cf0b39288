"""What is written where: colour, format, progress, on a terminal and off it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess

ESCAPE = "\x1b"


class Session:
    """Runs command lines at a pseudo-terminal, where stdout and stderr are one."""

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run ``larp ARGUMENTS``; returns its exit code and all that was on the screen."""
        inherited = {name: value for name, value in os.environ.items() if name != "CI"}
        child = pexpect.spawn(
            sys.executable,
            ["-m", "larp_cli", *arguments],
            env={**inherited, "TERM": "xterm-256color", "NO_COLOR": "", **(env or {})},
            dimensions=(40, 100),
            encoding="utf-8",
            timeout=60,
        )
        screen = child.read()
        child.close()
        assert isinstance(child.exitstatus, int)
        return child.exitstatus, screen


@pytest.fixture
def at_terminal() -> Session:
    """The command line at a terminal."""
    return Session()


def test_a_terminal_gets_the_human_format(at_terminal: Session) -> None:
    """Aligned under headings, in colour."""
    code, screen = at_terminal("config", "show", "--origin")

    assert code == ExitCode.OK
    assert "───" in screen
    assert ESCAPE in screen


def test_a_pipe_gets_the_plain_format(larp_process: LarpProcess) -> None:
    """Tabs between the columns, one line a row, no colour."""
    outcome = larp_process("config", "show", "--origin", env={"COLUMNS": "20"})

    assert "ENVIRONMENT\tdevelopment" in outcome.stdout
    assert "───" not in outcome.stdout
    assert ESCAPE not in outcome.stdout


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
        ((), {"NO_COLOR": "1", "FORCE_COLOR": "1"}),
        (("--no-color",), {}),
        (("--no-color",), {"FORCE_COLOR": "1"}),
        (("--output", "plain"), {}),
        (("--json",), {}),
    ],
)
def test_colour_can_be_refused(
    flags: tuple[str, ...], environment: dict[str, str], at_terminal: Session
) -> None:
    """NO_COLOR, TERM=dumb and --no-color are obeyed, and win over FORCE_COLOR."""
    code, screen = at_terminal("config", "show", *flags, env=environment)

    assert code == ExitCode.OK
    assert ESCAPE not in screen


@pytest.mark.parametrize("line", ["config frobnicate --no-color", "--no-color config show --frob"])
def test_colour_can_be_refused_on_a_wrong_command_line(line: str, at_terminal: Session) -> None:
    """--no-color counts even where the rest of the line was not understood."""
    code, screen = at_terminal(*line.split())

    assert code == ExitCode.USAGE
    assert "error:" in screen
    assert ESCAPE not in screen


def test_an_error_at_a_terminal_is_coloured(at_terminal: Session) -> None:
    """The label is easy to find."""
    code, screen = at_terminal("config", "frobnicate")

    assert code == ExitCode.USAGE
    assert f"{ESCAPE}[1;31merror:{ESCAPE}[0m No such command" in screen


def test_colour_can_be_forced_off_a_terminal(larp_process: LarpProcess) -> None:
    """FORCE_COLOR colours the human format in a pipe, such as a CI log that shows colours."""
    environment = {"FORCE_COLOR": "1", "NO_COLOR": ""}
    human = larp_process("config", "show", "--output", "human", env=environment)
    as_json = larp_process("config", "show", "--json", env=environment)

    assert ESCAPE in human.stdout
    assert ESCAPE not in as_json.stdout


def test_the_screen_holds_the_result_after_the_progress(
    at_terminal: Session, database: str
) -> None:
    """The drawing is wiped before the result is written, and no line of it stays."""
    code, screen = at_terminal("db", "init", env={"DATABASE_URL": database})

    assert code == ExitCode.OK
    assert f"{ESCAPE}[?25h" in screen, "the cursor is shown again"
    assert "is at " in screen.splitlines()[-1]


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
def test_no_animation_in_ci_or_on_a_dumb_terminal(
    environment: dict[str, str], at_terminal: Session, database: str
) -> None:
    """Progress is then a line per phase, and moves no cursor."""
    code, screen = at_terminal("db", "init", env={"DATABASE_URL": database, **environment})

    assert code == ExitCode.OK
    assert f"{ESCAPE}[?25" not in screen


def test_progress_goes_to_stderr_only(larp: Larp, database: str) -> None:
    """With --json stdout is the document and nothing else."""
    outcome = larp("db", "init", "--json", env={"DATABASE_URL": database})

    assert outcome.document["exit_code"] == ExitCode.OK
    assert outcome.stderr != ""


def test_quiet_writes_the_result_and_nothing_else(larp: Larp, database: str) -> None:
    """No phase, no note, no warning: the result alone."""
    outcome = larp("db", "init", "--quiet", env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.OK
    assert outcome.stdout != ""
    assert outcome.stderr == ""


def test_quiet_still_tells_errors(larp: Larp, dead_database: str) -> None:
    """Quiet is about the way, not about the end."""
    outcome = larp("db", "status", "--quiet", env={"DATABASE_URL": dead_database})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert outcome.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("flags", "level", "seen"),
    [
        ((), "INFO", set()),
        (("--verbose",), "WARNING", set()),
        (("--verbose",), "INFO", {"INFO"}),
        (("--debug",), "WARNING", {"INFO", "DEBUG"}),
    ],
)
def test_verbose_and_debug_say_how_much_is_logged(
    flags: tuple[str, ...], level: str, seen: set[str], larp: Larp, database: str
) -> None:
    """Warnings alone by default; --verbose brings LOG_LEVEL into force, --debug everything."""
    environment = {"DATABASE_URL": database, "LOG_FORMAT": "console", "LOG_LEVEL": level}

    stderr = larp("db", "init", *flags, env=environment).stderr

    assert {name for name in ("INFO", "DEBUG") if f" {name} " in stderr} == seen


def test_the_environment_of_the_tests_leaves_no_trace(tmp_path: Path, larp: Larp) -> None:
    """A command that only shows settings writes no file, and starts no server."""
    larp("config", "show")

    assert list(tmp_path.iterdir()) == []
