"""The commands that hints name, made for the project at hand."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

_COMMAND = re.compile(r"\blarp (?:db (?!start\b|stop\b)[a-z]+|health|serve|doctor)\b(?! -c )")
_HINT = "hint"


def with_project(value: Any, config: Path) -> Any:
    """Add ``-c`` to the commands in every field named ``hint``, however deep.

    Typed without it they would run larp's own revisions on a foreign database.
    """
    if isinstance(value, tuple):
        return type(value)(with_project(item, config) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for field in fields(value):
        if not field.init:
            continue
        held = getattr(value, field.name)
        if field.name == _HINT and isinstance(held, str) and "--alembic-config" not in held:
            made: object = _COMMAND.sub(
                lambda found: f"{found[0]} -c {shlex.quote(str(config))}", held
            )
        else:
            made = with_project(held, config)
        if made is not held:
            changed[field.name] = made
    return replace(value, **changed) if changed else value
