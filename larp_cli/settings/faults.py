"""Faults in the settings. A message names the setting and the rule, never the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from larp_cli.errors import ConfigurationError

CUSTOM_ERROR = "setting"
"""Type of the pydantic errors with a message of larp, which does not contain the value."""


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One setting, or file of settings, and what is wrong with it."""

    name: str
    message: str


class SettingsInvalid(ConfigurationError):
    """One or more settings are wrong; the message lists them all."""

    def __init__(self, faults: Sequence[SettingFault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        heading = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        lines = "".join(f"\n  {fault.name}: {fault.message}" for fault in self.faults)
        super().__init__(f"{heading}:{lines}", hint="larp config check")


def collect_validation_faults(
    error: ValidationError, fields: dict[str, FieldInfo]
) -> tuple[SettingFault, ...]:
    """Return one fault per setting; pydantic's own texts can echo the input and are not used."""
    messages: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(detail["loc"][0])
        ours = detail["type"] == CUSTOM_ERROR
        messages.setdefault(name, detail["msg"] if ours else describe_expectation(fields[name]))
    return tuple(SettingFault(name.upper(), message) for name, message in messages.items())


def describe_expectation(field: FieldInfo) -> str:
    """Return what a setting must be, from its type and limits."""
    kind = field.annotation
    if isinstance(kind, type):
        if issubclass(kind, Enum):
            return "must be one of " + ", ".join(str(member.value) for member in kind)
        if kind is bool:
            return "must be true or false"
        if issubclass(kind, int):
            return f"must be a whole number{_limits(field)}"
        if issubclass(kind, float):
            return f"must be a number of seconds{_limits(field)}"
    return "must be text that is not empty"


def _limits(field: FieldInfo) -> str:
    limits = {
        side: getattr(constraint, side)
        for constraint in field.metadata
        for side in ("ge", "le")
        if hasattr(constraint, side)
    }
    low, high = limits.get("ge"), limits.get("le")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" ≥ {low}" if low is not None else ""
