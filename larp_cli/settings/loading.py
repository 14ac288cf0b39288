"""Validate the settings that were read, and report all faults at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from larp_cli.redaction import Redactor, find_url_names, find_url_secrets
from larp_cli.settings.faults import SettingFault, SettingsInvalid, collect_validation_faults
from larp_cli.settings.model import DEVELOPMENT_SECRET_KEY, Settings
from larp_cli.settings.sources import DEFAULT, Reading, read_sources

_PUBLIC = ("", DEVELOPMENT_SECRET_KEY)
_NAME_VARIABLES = ("PGDATABASE", "PGUSER", "PGHOST")


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


def make_redactor(settings: Settings) -> Redactor:
    """Return the redactor that hides the secrets in the settings and in the environment."""
    secrets = [os.environ.get("PGPASSWORD", "")]
    urls: list[str] = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            (urls if name.endswith("_url") else secrets).append(value.get_secret_value())
    names = [settings.database_schema, *(os.environ.get(name, "") for name in _NAME_VARIABLES)]
    for url in urls:
        secrets.extend(find_url_secrets(url))
        names.extend(find_url_names(url))
    return Redactor(
        secrets=tuple(dict.fromkeys(item for item in secrets if item not in _PUBLIC)),
        public_names=tuple(dict.fromkeys(names)),
    )
