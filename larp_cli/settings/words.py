"""Settings that are one word of a few."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Word(StrEnum):
    """A word out of a few, taken in either case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((word for word in cls if str(value).casefold() == word.casefold()), None)


class Environment(_Word):
    """Where this installation stands, and so how careful it has to be."""

    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"


class LogLevel(_Word):
    """Least severity that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(_Word):
    """How a log record is written."""

    JSON = "json"
    CONSOLE = "console"


class Algorithm(_Word):
    """How access tokens are signed with the SECRET_KEY."""

    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"
