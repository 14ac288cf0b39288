"""What larp uses of pydantic-settings beyond its documentation: the names that a source has read.

The documented call of a source returns only the values of settings, so that a misspelt name is
lost. The contract is tested in ``tests/unit/settings/test_pydantic_settings_api.py``.
"""

from __future__ import annotations

from pydantic_settings import EnvSettingsSource


def read_names(source: EnvSettingsSource) -> tuple[str, ...]:
    """Return every name in the environment or file, in lower case, whether a setting or not."""
    return tuple(source.env_vars)
