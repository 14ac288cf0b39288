"""Validate the settings that were read, and report all faults at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from larp_cli.redaction import url_secrets
from larp_cli.settings.faults import SettingFault, SettingsInvalid, collect_validation_faults
from larp_cli.settings.model import DEVELOPMENT_SECRET_KEY, Settings
from larp_cli.settings.sources import DEFAULT, Reading, read_sources


def load_settings(directory: Path | None = None) -> Settings:
    """Return the effective settings; ``.env`` is read from ``directory``.

    ``directory`` defaults to the current directory.

    Raises:
        SettingsInvalid: At least one setting is invalid. Lists all faults, without values.
    """
    settings, faults = inspect_settings(read_sources(directory))
    if settings is None or faults:
        # Raised here so that pydantic's error, which contains the values, is not its context.
        raise SettingsInvalid(faults)
    return settings


def inspect_settings(reading: Reading) -> tuple[Settings | None, tuple[SettingFault, ...]]:
    """Validate what was read. Return the settings, or None if invalid, and all faults."""
    values: dict[str, Any] = dict(reading.values)
    try:
        return Settings(**values), reading.faults
    except ValidationError as error:
        unread = {fault.name for fault in reading.faults}
        invalid = collect_validation_faults(error, Settings.model_fields)
    return None, reading.faults + tuple(fault for fault in invalid if fault.name not in unread)


def read_origins(directory: Path | None = None) -> dict[str, str]:
    """Return where the effective value of each setting comes from.

    One of ``environment``, ``.env``, ``secrets file PATH`` and ``default``.
    """
    found = read_sources(directory).origins
    return {name.upper(): found.get(name, DEFAULT) for name in Settings.model_fields}


def find_secret_values(settings: Settings) -> tuple[str, ...]:
    """Return the values that must never be shown, for a `Redactor`."""
    values = [os.environ.get("PGPASSWORD", "")]
    for secret in (settings.secret_key, settings.health_details_token):
        values.append(secret.get_secret_value() if secret is not None else "")
    for url in (settings.database_url, settings.database_migration_url):
        values.extend(_passwords(url))
    public = {"", DEVELOPMENT_SECRET_KEY}
    return tuple(dict.fromkeys(value for value in values if value not in public))


def _passwords(url: SecretStr | None) -> tuple[str, ...]:
    return url_secrets(url.get_secret_value()) if url is not None else ()
