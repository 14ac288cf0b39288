"""Settings that tests start from, and what is said of those that are refused."""

from __future__ import annotations

import pytest

from larp_cli.settings import SettingsInvalid, load_settings

STRONG_KEY = "q7GmZ0sVx2LrT9cYb4HnKd8WfJpE6uAi"
"""A key that production takes."""
IN_PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": STRONG_KEY}
"""Environment of a command line in production, but for its database."""


def faults(**overrides: object) -> dict[str, str]:
    """Return the faults of settings that must be refused, by name."""
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(overrides)
    return {fault.name: fault.message for fault in caught.value.faults}
