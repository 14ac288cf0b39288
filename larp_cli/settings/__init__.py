"""The only reader of the environment: every setting, its type, its rules and where it came from.

Sources, strongest first: the environment, ``.env``, files in ``SECRETS_DIR``, defaults.
"""

from larp_cli.settings.pydantic_plugins import disable_plugins

with disable_plugins():
    from larp_cli.settings.faults import SettingFault, SettingsInvalid
    from larp_cli.settings.loading import inspect_settings, load_settings, origins, secret_values
    from larp_cli.settings.model import Settings
    from larp_cli.settings.sources import DEFAULT, Reading, read_sources
    from larp_cli.settings.words import Algorithm, Environment, LogFormat, LogLevel

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
    "origins",
    "read_sources",
    "secret_values",
]
