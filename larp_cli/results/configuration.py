"""Results about settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from larp_cli.errors import ExitCode
from larp_cli.results.base import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingValue:
    """The value of one setting."""

    name: str
    value: str
    """The effective value; ``***`` for a secret."""
    origin: str
    """Where the value comes from; empty without ``--origin``."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigShow(Result):
    """The effective settings."""

    settings: tuple[SettingValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a setting. Never contains its value."""

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigCheck(Result):
    """Every fault in the settings."""

    environment: str | None
    """Value of ENVIRONMENT; None if the settings are invalid."""
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """A fault ends the command with 4; a warning does not."""
        return ExitCode.CONFIGURATION if self.faults else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigTemplate(Result):
    """The text of ``.env.example``."""

    verbatim = True

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSecret(Result):
    """A random SECRET_KEY."""

    verbatim = True

    secret: str = field(repr=False)
