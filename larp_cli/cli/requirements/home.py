"""Find the directory for backups of lock files, even if other settings are invalid."""

from __future__ import annotations

from pathlib import Path

from larp_cli.cli.context import Context


def find_larp_home(larp: Context) -> Path:
    """Return LARP_HOME, even if the project's ``.env`` has settings that larp rejects.

    A ``.env`` for another program may contain ``DEBUG=release`` or the URL of another kind of
    database. Locking dependencies needs neither.
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
