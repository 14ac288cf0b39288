"""Settings that tests start from, and what is said of those that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from larp_cli.settings import Settings, SettingsInvalid, load_settings

STRONG_KEY = "q7GmZ0sVx2LrT9cYb4HnKd8WfJpE6uAi"
"""A key that production takes."""
IN_PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": STRONG_KEY}
"""Environment of a command line in production, but for its database."""


@contextmanager
def environment(**variables: object) -> Iterator[None]:
    """Set environment variables for a while. None leaves a variable unset."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            if value is not None:
                patch.setenv(name.upper(), str(value))
        yield


def load(**variables: object) -> Settings:
    """Load the settings with these environment variables set."""
    with environment(**variables):
        return load_settings()


def faults(**variables: object) -> dict[str, str]:
    """Return the faults of settings that must be refused, by name."""
    with pytest.raises(SettingsInvalid) as caught:
        load(**variables)
    return {fault.name: fault.message for fault in caught.value.faults}
