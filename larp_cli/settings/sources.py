"""Read the sources of settings and record where each value came from.

pydantic-settings does the reading. This module adds the origin of each value, and turns every
unreadable file into a fault instead of stopping at the first exception.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SecretsSettingsSource

from larp_cli.settings.dotenv_api import find_unparsable_lines
from larp_cli.settings.faults import SettingFault
from larp_cli.settings.model import Settings
from larp_cli.settings.pydantic_settings_api import read_names

DEFAULT = "default"
"""Origin of a value that no source sets."""

_ENVIRONMENT = "environment"
_DOTENV = ".env"
_SECRETS_DIR = "secrets_dir"

# An editor's byte order mark would otherwise become part of the first name.
_ENCODING = "utf-8-sig"

type _Layer = dict[str, tuple[object, str]]
"""Field name → value as written, and its origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the sources say, before any of it is validated."""

    values: Mapping[str, object] = field(repr=False)
    """Field name → value of the strongest source that has one."""
    origins: Mapping[str, str]
    """Field name → where that value came from; a field that no source sets is missing."""
    faults: tuple[SettingFault, ...] = ()
    """Sources that could not be read."""
    names: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Origin → every name found there, in lower case, whether it is a setting or not."""


def read_sources(directory: Path | None = None) -> Reading:
    """Read the environment, ``.env`` in ``directory``, and the files in ``SECRETS_DIR``.

    ``directory`` defaults to the current directory.
    """
    faults: list[SettingFault] = []
    environment = EnvSettingsSource(Settings)
    dotenv = _open_dotenv((directory or Path()) / ".env", faults)
    layers = _from(dotenv(), _DOTENV) if dotenv else {}
    layers |= _from(environment(), _ENVIRONMENT)
    secrets, secret_names = _read_secret_files(layers.pop(_SECRETS_DIR, None), faults)
    layers = secrets | layers
    return Reading(
        values={name: value for name, (value, _) in layers.items()},
        origins={name: origin for name, (_, origin) in layers.items()},
        faults=tuple(faults),
        names={
            _ENVIRONMENT: read_names(environment),
            _DOTENV: read_names(dotenv) if dotenv else (),
            "secrets files": secret_names,
        },
    )


def _from(values: Mapping[str, object], origin: str) -> _Layer:
    return {name: (value, origin) for name, value in values.items()}


def _open_dotenv(path: Path, faults: list[SettingFault]) -> DotEnvSettingsSource | None:
    try:
        lines = _unparsable_lines(path)
        if not lines:
            return DotEnvSettingsSource(
                Settings,
                env_file=path,
                env_file_encoding=_ENCODING,
                dotenv_filtering="only_existing",
            )
        message = f"line {lines[0]} is not of the form NAME=value"
    except UnicodeDecodeError:
        message = "is not UTF-8 text"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    faults.append(SettingFault(_DOTENV, message))
    return None


def _unparsable_lines(path: Path) -> list[int]:
    """Return the numbers of the lines that python-dotenv would skip with a mere warning."""
    if not path.is_file():
        # Missing, a virtual environment of that name, or a pipe that can be read only once.
        return []
    with path.open(encoding=_ENCODING) as stream:
        return find_unparsable_lines(stream)


class _SecretFiles(SecretsSettingsSource):
    """Files named like settings. One that cannot be read is a fault, not the end of reading."""

    def __init__(self, directory: Path, faults: list[SettingFault]) -> None:
        super().__init__(Settings, secrets_dir=directory)
        self._faults = faults

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if field_name == _SECRETS_DIR:
            return None, field_name, False
        try:
            with warnings.catch_warnings(action="error", category=UserWarning):
                value, key, is_complex = super().get_field_value(field, field_name)
                return value or None, key, is_complex
        except (UserWarning, AssertionError, RuntimeError):  # a link to nowhere, or to itself
            message = "its file in SECRETS_DIR is not a regular file inside that directory"
        except UnicodeDecodeError:
            message = "its file in SECRETS_DIR is not UTF-8 text"
        except OSError as error:
            message = f"its file in SECRETS_DIR cannot be read: {error.strerror}"
        self._faults.append(SettingFault(field_name.upper(), message))
        return None, field_name, False


def _read_secret_files(
    source: tuple[object, str] | None, faults: list[SettingFault]
) -> tuple[_Layer, tuple[str, ...]]:
    """Return the values of the files in ``SECRETS_DIR``, and the names of all its files."""
    if source is None:
        return {}, ()
    directory, origin = Path(str(source[0]).strip()), source[1]
    itself: _Layer = {_SECRETS_DIR: source}
    try:
        directory = directory.expanduser().absolute()
        files = _list_files(directory)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "no such home directory"
        fault = SettingFault(_SECRETS_DIR.upper(), f"(from {origin}) cannot be read: {reason}")
        faults.append(fault)
        return itself, ()
    values = _SecretFiles(directory, faults)()
    layer = {name: (value, f"secrets file {files[name]}") for name, value in values.items()}
    return layer | itself, tuple(files)


def _list_files(directory: Path) -> dict[str, Path]:
    """Return the files of a directory by their names in lower case; the first of a name counts."""
    files: dict[str, Path] = {}
    for name in os.listdir(directory):
        files.setdefault(name.lower(), directory / name)
    return files
