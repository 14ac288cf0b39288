"""The only edge where errors become exit codes."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator

import pytest
import typer

from larp_cli import configuration, errors
from larp_cli.errors import ExitCode, LarpError
from tests.conftest import Larp

type Fail = Callable[[BaseException], None]


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Make `larp config secret` raise."""

    def install(error: BaseException) -> None:
        def work() -> None:
            raise error

        monkeypatch.setattr(configuration, "generate_secret", work)

    return install


def families(parent: type[LarpError] = LarpError) -> Iterator[type[LarpError]]:
    """Find the kinds of failure that errors.py declares."""
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__ and child is not errors.ExtraMissing:
            yield child
        yield from families(child)


def test_the_numbers_are_the_contract() -> None:
    """Scripts compare with these numbers: none may ever change."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "NEGATIVE": 3,
        "CONFIGURATION": 4,
        "UNREACHABLE": 5,
        "REFUSED": 6,
        "LOCKED": 7,
        "MIGRATION_FAILED": 8,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }


@pytest.mark.parametrize("kind", sorted(set(families()), key=str))
def test_each_kind_of_failure_ends_in_its_code(
    kind: type[LarpError], larp: Larp, fail_with: Fail
) -> None:
    """Message and hint on stderr, nothing on stdout, and the code of the kind."""
    fail_with(kind("it is broken", hint="fix it"))

    outcome = larp("config", "secret")

    assert outcome.exit_code == kind.exit_code
    assert outcome.stdout == ""
    label = "no" if kind.exit_code is ExitCode.NEGATIVE else "error"
    assert outcome.stderr == f"{label}: it is broken\nhint: fix it\n"


@pytest.mark.parametrize("kind", sorted(set(families()), key=str))
def test_each_kind_of_failure_is_a_document_with_json(
    kind: type[LarpError], larp: Larp, fail_with: Fail
) -> None:
    """Programs get the name of the code beside its number."""
    fail_with(kind("it is broken"))

    outcome = larp("config", "secret", "--json")

    assert outcome.exit_code == outcome.document["exit_code"] == kind.exit_code
    assert outcome.document["error"] == {
        "code": kind.exit_code.name,
        "message": "it is broken",
        "hint": None,
    }
    assert outcome.stderr == ""


def test_a_missing_extra_names_what_to_install(larp: Larp, fail_with: Fail) -> None:
    """A command whose extra is missing ends with 4 and the pip command."""
    fail_with(errors.ExtraMissing("serve", "the health server"))

    outcome = larp("config", "secret")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "hint: pip install 'larp-cli[serve]'" in outcome.stderr


def test_a_bug_says_that_it_is_one(larp: Larp, fail_with: Fail) -> None:
    """It ends with 1, without a traceback, and says how to report it."""
    fail_with(ZeroDivisionError("division by zero"))

    outcome = larp("config", "secret")

    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.stdout == ""
    assert "error: this is a bug in larp: ZeroDivisionError: division by zero" in outcome.stderr
    assert "--debug" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_bug_with_json_is_a_document(larp: Larp, fail_with: Fail) -> None:
    """Even a bug leaves stdout parseable."""
    fail_with(KeyError("oops"))

    outcome = larp("--json", "config", "secret")

    assert outcome.document["exit_code"] == outcome.exit_code == ExitCode.FAILURE
    assert "bug" in outcome.document["error"]["message"]
    assert outcome.document["result"] is None


def test_debug_shows_the_traceback_without_secrets(larp: Larp, fail_with: Fail) -> None:
    """The traceback is there to be pasted into a report, so it is redacted."""
    fail_with(RuntimeError("no way to postgresql://larp:sesame@db/larp with password=sesame"))

    outcome = larp("config", "secret", "--debug")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "Traceback (most recent call last)" in outcome.stderr
    assert "RuntimeError: no way to" in outcome.stderr
    assert "sesame" not in outcome.stderr


def test_debug_shows_what_caused_an_error(larp: Larp, fail_with: Fail) -> None:
    """The cause of an error that larp explains is kept, for those who ask."""
    error = errors.CommandFailed("it is broken")
    error.__cause__ = OSError("the floppy is gone")
    fail_with(error)

    assert "floppy" not in larp("config", "secret").stderr
    assert "OSError: the floppy is gone" in larp("config", "secret", "--debug").stderr


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_keeps_json_on_stdout_one_document(place: str, larp: Larp, fail_with: Fail) -> None:
    """The traceback goes to stderr, never into the document."""
    fail_with(RuntimeError("oops"))
    words = ["--debug", "--json", "config", "secret"]

    outcome = larp(*(words if place == "before" else words[2:] + words[:2]))

    assert json.loads(outcome.stdout)["exit_code"] == 1
    assert "Traceback" in outcome.stderr


def test_ctrl_c_ends_with_130(larp: Larp, fail_with: Fail) -> None:
    """SIGINT is told in a line, not in a traceback."""
    fail_with(KeyboardInterrupt())

    outcome = larp("config", "secret")

    assert outcome.exit_code == ExitCode.INTERRUPTED
    assert outcome.stderr == "error: stopped by SIGINT\n"


def test_the_shared_options_add_up_over_root_group_and_command(larp: Larp, fail_with: Fail) -> None:
    """Each level takes them, and none forgets what another was given."""
    fail_with(RuntimeError("oops"))

    outcome = larp("--json", "config", "--debug", "secret", "--quiet")

    assert outcome.document["exit_code"] == 1
    assert "Traceback" in outcome.stderr


@pytest.mark.parametrize(
    "line",
    [
        "--json config secret",
        "config --json secret",
        "config secret --json",
        "--output json config secret",
        "config --output=json secret",
        "config secret --output json",
    ],
)
def test_every_level_takes_the_output_format(line: str, larp: Larp) -> None:
    """Where an option stands makes no difference."""
    outcome = larp(*line.split())

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["command"] == "config secret"


@pytest.mark.parametrize("code", ["not today", 0, 3, None])
def test_a_call_of_sys_exit_is_a_failure(code: object, larp: Larp, fail_with: Fail) -> None:
    """No code in the work may end larp silently, or as a success."""
    fail_with(SystemExit(code))

    outcome = larp("config", "secret", "--json")

    assert outcome.exit_code == outcome.document["exit_code"] == ExitCode.FAILURE
    assert f"sys.exit({code!r})" in outcome.document["error"]["message"]


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(errno.EPIPE, "Broken pipe"), EOFError("no more"), typer.Abort()],
    ids=lambda error: type(error).__name__,
)
def test_no_exception_of_the_work_ends_it_silently(
    error: Exception, larp: Larp, fail_with: Fail
) -> None:
    """A socket that breaks is not the reader of stdout, and an end of file is not an answer."""
    fail_with(error)

    outcome = larp("config", "secret", "--json")

    assert outcome.exit_code == outcome.document["exit_code"] == ExitCode.FAILURE
    assert type(error).__name__ in outcome.document["error"]["message"]
