"""What `larp config` answers: the settings shown, checked, written out as a template; a new key."""

from __future__ import annotations

import secrets
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from larp_cli.redaction import MASK, redact_url
from larp_cli.results import (
    ConfigCheck,
    ConfigShow,
    ConfigTemplate,
    Fault,
    GeneratedSecret,
    SettingValue,
)
from larp_cli.settings import (
    DEFAULT,
    Environment,
    Reading,
    SettingFault,
    Settings,
    SettingsInvalid,
    inspect_settings,
    read_sources,
)
from larp_cli.settings.rules import secret_key_fault

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

NOT_SET = "not set"
SECRET_BYTES = 48
URLS = ("database_url", "database_migration_url")

_WIDTH = 100
# The environment holds many names that are none of ours: only a slip of the finger counts there.
_SIMILAR = {"environment": 0.9}
_SIMILAR_IN_OUR_FILES = 0.8
_HEADER = """\
The settings of larp, and what they are when nothing sets them.

Copy this file to .env, which larp reads from the current directory, and uncomment what you change.
Stronger than .env are the environment and flags; weaker are files in SECRETS_DIR. ${NAME} in a
value stands for another variable. Written by `larp config template`; `larp config check` tells
what is wrong, `larp config show --origin` where each value comes from."""


def config_show(
    overrides: Mapping[str, object] | None = None,
    *,
    directory: Path | None = None,
    with_origins: bool = True,
) -> ConfigShow:
    """Return every effective setting, secrets hidden; without origins those are empty.

    Raises:
        SettingsInvalid: with every fault at once.
    """
    reading = read_sources(overrides, directory=directory)
    settings, faults = inspect_settings(reading)
    if settings is None or faults:
        raise SettingsInvalid(faults)
    return ConfigShow(
        settings=tuple(
            SettingValue(
                name=name.upper(),
                value=_shown(name, getattr(settings, name)),
                origin=reading.origins.get(name, DEFAULT) if with_origins else "",
                description=field_info.description or "",
            )
            for name, field_info in Settings.model_fields.items()
        )
    )


def config_check(
    overrides: Mapping[str, object] | None = None, *, directory: Path | None = None
) -> ConfigCheck:
    """Return all faults and warnings; settings that are wrong are the answer, not an error."""
    reading = read_sources(overrides, directory=directory)
    settings, faults = inspect_settings(reading)
    faults += tuple(_url_faults(reading, faults))
    warnings = tuple(_near_misses(reading))
    if settings is not None:
        warnings += tuple(_risks(settings))
    return ConfigCheck(
        environment=settings.environment.value if settings is not None else None,
        faults=tuple(Fault(name=fault.name, message=fault.message) for fault in faults),
        warnings=warnings,
    )


def effective_settings() -> Settings:
    """Return the settings with which a command works.

    Raises:
        SettingsInvalid: with every fault at once, those of the URLs among them. One URL that
            is all that is wrong is left to who connects by it, and has a better hint.
    """
    reading = read_sources()
    settings, faults = inspect_settings(reading)
    of_urls = tuple(_url_faults(reading, faults)) if faults or _has_two_urls(reading) else ()
    if settings is None or faults or len(of_urls) > 1:
        raise SettingsInvalid(faults + of_urls)
    return settings


def _has_two_urls(reading: Reading) -> bool:
    return all(reading.values.get(name) for name in URLS)


def _url_faults(reading: Reading, found: Sequence[SettingFault]) -> Iterator[SettingFault]:
    """Let libpq look at the URLs, as it will when a command connects."""
    from larp_cli.errors import ConfigurationError
    from larp_cli.postgres.url import normalise_url

    known = {fault.name for fault in found}
    for name in URLS:
        url, variable = reading.values.get(name), name.upper()
        try:
            if url and variable not in known:
                normalise_url(str(url), setting=variable)
        except ConfigurationError as error:
            message = error.message.removeprefix(f"{variable} ")
            yield SettingFault(name=variable, message=f"{message}; {error.hint}")


def config_template() -> ConfigTemplate:
    """Return ``.env.example``, rendered from the settings class alone."""
    parts = [_comment(_HEADER)]
    sections = groupby(Settings.model_fields.items(), key=lambda item: _extra(item[1], "section"))
    for section, fields in sections:
        parts.append(_comment(f"--- {section} ---"))
        parts.extend(_entry(name, field_info) for name, field_info in fields)
    return ConfigTemplate(text="\n\n".join(parts) + "\n")


def generate_secret() -> GeneratedSecret:
    """Return a key of 48 random bytes, in characters that no shell and no ``.env`` quotes."""
    return GeneratedSecret(secret=secrets.token_urlsafe(SECRET_BYTES))


def _shown(name: str, value: object) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, SecretStr):
        return redact_url(value.get_secret_value()) if name.endswith("_url") else MASK
    return _written(value)


def _written(value: object) -> str:
    """Return the value as one writes it into the environment."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def _near_misses(reading: Reading) -> Iterator[Fault]:
    known = list(Settings.model_fields)
    for origin, names in reading.names.items():
        cutoff = _SIMILAR.get(origin, _SIMILAR_IN_OUR_FILES)
        for name in names:
            if name not in known and (similar := get_close_matches(name, known, 1, cutoff)):
                meant = similar[0].upper()
                message = f"is no setting ({origin}); did you mean {meant}?"
                yield Fault(name=name.upper(), message=message)


def _risks(settings: Settings) -> Iterator[Fault]:
    """Find what nothing refuses yet, but production would."""
    key = settings.secret_key.get_secret_value()
    if settings.environment is Environment.STAGING and secret_key_fault(key):
        message = "would be refused in production; make one with `larp config secret`"
        yield Fault(name="SECRET_KEY", message=message)


def _entry(name: str, field_info: FieldInfo) -> str:
    variable = name.upper()
    lines = [_comment(field_info.description or "")]
    for environment in ("development", "production"):
        if example := _extra(field_info, environment):
            lines.append(f"#   in {environment}: {variable}={example}")
    lines.append(f"# {variable}={_default(field_info)}")
    return "\n".join(lines)


def _default(field_info: FieldInfo) -> str:
    # A factory's answer depends on the machine, and the template must not.
    value = None if field_info.default_factory else field_info.default
    if value is None:
        return ""
    text = value.get_secret_value() if isinstance(value, SecretStr) else _written(value)
    return f'"{text}"' if " " in text else text


def _extra(field_info: FieldInfo, key: str) -> str:
    extra = field_info.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""


def _comment(text: str) -> str:
    paragraphs = (
        textwrap.wrap(paragraph, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
        for paragraph in text.split("\n\n")
    )
    return "\n#\n".join("\n".join(f"# {line}" for line in lines) for lines in paragraphs)
