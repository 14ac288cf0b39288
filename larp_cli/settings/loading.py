"""Turn what the sources say into settings, or into every fault at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from larp_cli.redaction import url_secrets
from larp_cli.settings.faults import SettingFault, SettingsInvalid, validation_faults
from larp_cli.settings.model import DEVELOPMENT_SECRET_KEY, Settings
from larp_cli.settings.sources import DEFAULT, Reading, read_sources


def load_settings(
    overrides: Mapping[str, object] | None = None, *, directory: Path | None = None
) -> Settings:
    """Return the effective settings.

    Overrides are flags: setting names in either case, None for a flag that was not given.
    ``.env`` is looked for in the directory, by default the current one.

    Raises:
        SettingsInvalid: with every fault at once, none of which repeats a value.
    """
    settings, faults = inspect_settings(read_sources(overrides, directory=directory))
    if settings is None or faults:
        # Raised here, where pydantic's error, which holds the values, is no longer its context.
        raise SettingsInvalid(faults)
    return settings


def inspect_settings(reading: Reading) -> tuple[Settings | None, tuple[SettingFault, ...]]:
    """Return the settings that the sources add up to, or None, and all that is wrong."""
    values: dict[str, Any] = dict(reading.values)
    try:
        return Settings(**values), reading.faults
    except ValidationError as error:
        unread = {fault.name for fault in reading.faults}
        invalid = validation_faults(error, Settings.model_fields)
    return None, reading.faults + tuple(fault for fault in invalid if fault.name not in unread)


def origins(
    overrides: Mapping[str, object] | None = None, *, directory: Path | None = None
) -> dict[str, str]:
    """Return for each setting where its effective value comes from.

    One of ``flag``, ``environment``, ``.env``, ``secrets file PATH`` and ``default``.
    """
    found = read_sources(overrides, directory=directory).origins
    return {name.upper(): found.get(name, DEFAULT) for name in Settings.model_fields}


def secret_values(settings: Settings) -> tuple[str, ...]:
    """Return the values that must never be shown: what a `Redactor` is seeded with."""
    values = [os.environ.get("PGPASSWORD", "")]
    for secret in (settings.secret_key, settings.health_details_token):
        values.append(secret.get_secret_value() if secret is not None else "")
    for url in (settings.database_url, settings.database_migration_url):
        values.extend(_passwords(url))
    public = {"", DEVELOPMENT_SECRET_KEY}
    return tuple(dict.fromkeys(value for value in values if value not in public))


def _passwords(url: SecretStr | None) -> tuple[str, ...]:
    return url_secrets(url.get_secret_value()) if url is not None else ()
