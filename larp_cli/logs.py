"""Structured logging on stderr: one JSON object a line, or lines for a console."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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


class _Stderr(logging.StreamHandler[Any]):
    """Writes to stderr; that nobody can read it must not stop the work, nor fail at the end."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Write nothing from now on."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stderr.fileno())
        os.close(nothing)


def log_to_stderr(*, level: str, as_json: bool, redact: Callable[[str], str]) -> None:
    """Send the records of larp and of the libraries it drives to stderr."""
    make = JsonFormatter if as_json else ConsoleFormatter
    handler = _Stderr(sys.stderr)
    handler.setFormatter(make(redact))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
