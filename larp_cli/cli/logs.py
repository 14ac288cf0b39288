"""Structured logging on stderr: one JSON object a line, or lines for a console."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from larp_cli.cli.options import SharedOptions
from larp_cli.settings import LogFormat, Settings

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class ConsoleFormatter(logging.Formatter):
    """Time, level, logger and message, redacted as a whole."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write the record and its traceback, without secrets."""
        return self._redact(super().format(record))


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
            if name not in _STANDARD:
                entry[name] = self._redact(str(value))
        if record.exc_info:
            entry["traceback"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(entry)


def configure_logging(
    settings: Settings, options: SharedOptions, redact: Callable[[str], str]
) -> None:
    """Send the records of larp and of the libraries it drives to stderr.

    A one-shot command logs warnings only: what it does is told by its progress and its
    result. ``--verbose`` brings LOG_LEVEL into force, ``--debug`` logs everything.
    """
    make = JsonFormatter if settings.log_format is LogFormat.JSON else ConsoleFormatter
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(make(redact))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_level(settings, options))
    logging.captureWarnings(True)


def _level(settings: Settings, options: SharedOptions) -> str:
    if options.debug:
        return "DEBUG"
    if options.verbose:
        return settings.log_level.value
    return "ERROR" if options.quiet else "WARNING"
