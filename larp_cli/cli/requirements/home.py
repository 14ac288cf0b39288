"""Where the backups of lock files are, whatever else the settings say."""

from __future__ import annotations

from pathlib import Path

from larp_cli.cli.context import Context


def larp_home(larp: Context) -> Path:
    """Return LARP_HOME, also in a project whose ``.env`` is not meant for larp.

    ``DEBUG=release`` or a ``DATABASE_URL`` of another kind is no fault there: locking
    dependencies needs neither.
    """
    from larp_cli.settings import Reading, SettingsInvalid, inspect_settings, read_sources

    try:
        return larp.settings.larp_home
    except SettingsInvalid:
        given = read_sources().values
        alone = {name: value for name, value in given.items() if name == "larp_home"}
        settings, _ = inspect_settings(Reading(values=alone, origins={}, names={}))
        if settings is None:
            raise
        return settings.larp_home
