"""Structured logging on stderr: one JSON object a line, or lines for a console."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from larp_cli.system.streams import write_to_stderr

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_UNWANTED = frozenset({"color_message"})
"""What a library adds for a terminal's sake."""


class ConsoleFormatter(logging.Formatter):
    """Time, level, logger and message, redacted as a whole."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write the record and its traceback, without secrets."""
        return self._redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Write the record's line; nothing in it may begin another, or steer a terminal."""
        line = super().formatMessage(record)
        return "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode()
            for letter in line
        )


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what ``extra`` adds."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write the record and its traceback, without secrets."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD | _UNWANTED:
                entry[name] = self._redact(str(value))
        if record.exc_info:
            entry["traceback"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(entry)


class _StderrHandler(logging.Handler):
    """Write each record to stderr; a log call that fails is reported in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: B902 - the arguments format themselves
            line = self.format(_report_failed_call(record, error))
        write_to_stderr(line)


def _report_failed_call(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Make a record that says which log call failed, why, and with which arguments."""
    try:
        call = f"message {record.msg!r}, arguments {record.args!r}"
    except Exception:  # noqa: B902 - what cannot be formatted may not be shown either
        call = f"a message of type {type(record.msg).__name__} that cannot be shown"
    text = (
        f"a log call failed: {type(error).__name__}: {error}; {call},"
        f" in {record.funcName} at {record.pathname}:{record.lineno}"
    )
    return logging.LogRecord(
        record.name, logging.ERROR, record.pathname, record.lineno, text, None, None
    )


def log_to_stderr(*, level: str, as_json: bool, redact: Callable[[str], str]) -> None:
    """Send the records of larp and of the libraries it drives to stderr."""
    make = JsonFormatter if as_json else ConsoleFormatter
    handler = _StderrHandler()
    handler.setFormatter(make(redact))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
