"""Settings that are one word of a few."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Choice(StrEnum):
    """A word out of a few, taken in either case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((word for word in cls if str(value).casefold() == word.casefold()), None)


class Environment(_Choice):
    """Where this installation stands, and so how careful it has to be."""

    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"


class LogLevel(_Choice):
    """Least severity that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(_Choice):
    """How a log record is written."""

    JSON = "json"
    CONSOLE = "console"


class Algorithm(_Choice):
    """How access tokens are signed with the SECRET_KEY."""

    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"
