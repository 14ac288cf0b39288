"""The only reader of the environment: every setting, its type, its rules and where it came from.

Sources, strongest first: the environment, ``.env``, files in ``SECRETS_DIR``, defaults.
"""

from larp_cli.settings.pydantic_plugins import disable_plugins

with disable_plugins():
    from larp_cli.settings.choices import Algorithm, Environment, LogFormat, LogLevel
    from larp_cli.settings.faults import SettingFault, SettingsInvalid
    from larp_cli.settings.loading import (
        inspect_settings,
        load_settings,
        make_redactor,
        read_origins,
    )
    from larp_cli.settings.model import Settings
    from larp_cli.settings.sources import DEFAULT, Reading, read_sources

__all__ = [
    "DEFAULT",
    "Algorithm",
    "Environment",
    "LogFormat",
    "LogLevel",
    "Reading",
    "SettingFault",
    "Settings",
    "SettingsInvalid",
    "inspect_settings",
    "load_settings",
    "read_origins",
    "read_sources",
    "make_redactor",
]
