"""Settings that have a fixed list of values."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Choice(StrEnum):
    """One value of a list, accepted in upper or lower case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((item for item in cls if str(value).casefold() == item.casefold()), None)


class Environment(_Choice):
    """The kind of installation, which decides how careful larp is."""

    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"


class LogLevel(_Choice):
    """The lowest severity that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(_Choice):
    """The format of a log record."""

    JSON = "json"
    CONSOLE = "console"


class Algorithm(_Choice):
    """The algorithm that signs access tokens with the SECRET_KEY."""

    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"
