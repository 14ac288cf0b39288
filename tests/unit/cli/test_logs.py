"""Logs on stderr: one JSON object a line, or lines for a console; never a secret."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from larp_cli.logs import ConsoleFormatter, JsonFormatter, log_to_stderr
from larp_cli.redaction import Redactor
from tests.conftest import Larp, LarpProcess

URL = "postgresql://larp:sesame@db/larp"


def record(message: str, *arguments: object, **extra: Any) -> logging.LogRecord:
    """Make a record, with the exception that is being handled."""
    made = logging.LogRecord(
        "larp.test", logging.WARNING, __file__, 1, message, arguments, sys.exc_info()
    )
    if made.exc_info == (None, None, None):
        made.exc_info = None
    made.__dict__.update(extra)
    return made


def test_a_json_record_is_one_object_on_one_line() -> None:
    """Line breaks in a message do not tear the record apart."""
    line = JsonFormatter(str).format(record("first\nsecond %s", "third", revision="4c1"))

    assert len(line.splitlines()) == 1
    entry = json.loads(line)
    assert list(entry) == ["time", "level", "logger", "message", "revision"]
    assert entry["level"] == "warning"
    assert entry["logger"] == "larp.test"
    assert entry["message"] == "first\nsecond third"
    assert entry["revision"] == "4c1"
    assert entry["time"].endswith("+00:00")


@pytest.mark.parametrize("formatter", [JsonFormatter, ConsoleFormatter])
def test_no_part_of_a_record_shows_a_secret(formatter: Any) -> None:
    """Message, arguments, extras and traceback are all redacted."""
    redact = Redactor(("open-sesame-7f3a",)).redact
    try:
        raise RuntimeError(f"cannot reach {URL} with open-sesame-7f3a")
    except RuntimeError:
        line = formatter(redact).format(record("trying %s", URL, key="open-sesame-7f3a"))

    assert "trying postgresql://larp:***@db/larp" in line
    assert "RuntimeError" in line
    assert "sesame" not in line


def test_a_console_record_names_level_and_logger() -> None:
    """People read the level first."""
    line = ConsoleFormatter(str).format(record("slow"))

    assert line.endswith("WARNING larp.test: slow")


def test_json_logs_of_a_command_are_json_lines(larp: Larp, database: str) -> None:
    """With LOG_FORMAT=json every record of --debug parses by itself."""
    outcome = larp(
        "db",
        "init",
        "--debug",
        "--json",
        env={"DATABASE_URL": database, "LOG_FORMAT": "json"},
    )

    entries = [json.loads(line) for line in outcome.stderr.splitlines() if line.startswith("{")]
    assert entries
    assert all({"time", "level", "logger", "message"} <= entry.keys() for entry in entries)
    assert outcome.document["exit_code"] == 0


def test_a_log_format_that_does_not_exist_is_a_fault(larp: Larp) -> None:
    """It is told before anything is done."""
    outcome = larp("db", "status", env={"LOG_FORMAT": "xml"})

    assert outcome.exit_code == 4
    assert "LOG_FORMAT: must be one of json, console" in outcome.stderr


def test_logs_that_cannot_be_written_are_no_failure(
    larp_process: LarpProcess, initialised: str
) -> None:
    """A full disk behind stderr changes no exit code."""
    with open("/dev/full", "w") as full:
        outcome = larp_process(
            "db", "migrate", "--debug", env={"DATABASE_URL": initialised}, stderr=full
        )

    assert outcome.exit_code == 0


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
def test_a_log_call_that_fails_is_reported_once(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report says what failed, with which arguments, and where; it shows no secret."""
    log_to_stderr(level="INFO", as_json=as_json, redact=Redactor(("open-sesame-7f3a",)).redact)

    logging.getLogger("larp.test").warning("%d levels of %s", "many", "open-sesame-7f3a")

    (line,) = capsys.readouterr().err.splitlines()
    message = json.loads(line)["message"] if as_json else line
    assert "a log call failed: TypeError: %d format: a real number is required" in message
    assert "message '%d levels of %s', arguments ('many', '***')" in message
    assert f"in test_a_log_call_that_fails_is_reported_once at {__file__}:" in message


class Unprintable:
    """An object that fails to describe itself."""

    def __repr__(self) -> str:
        raise RuntimeError("not today")


def test_a_log_call_whose_arguments_cannot_be_shown_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The report itself cannot fail, and the next call is logged as ever."""
    log_to_stderr(level="INFO", as_json=False, redact=str)

    logging.getLogger("larp.test").warning("%s", Unprintable())
    logging.getLogger("larp.test").warning("next")

    report, following = capsys.readouterr().err.splitlines()
    assert "a log call failed: RuntimeError: not today" in report
    assert following.endswith("larp.test: next")
