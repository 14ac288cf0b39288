"""One data set for every format: a result of every type, made from the types of its fields."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from larp_cli import results
from larp_cli.errors import ExitCode
from larp_cli.rendering.answer import Problem
from larp_cli.results import Result

SECRET = "open-sesame-7f3a9c"
"""A secret that the redactor is told of; it may stand in any field."""

HOSTILE = (
    "[red]x[/red]",
    "[link=https://evil.example]click[/link]",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "one\r\ntwo\tthree",
    "over\b\bwritten",
    "right\u202eleft",
    ":smile:",
    "50% {braces} %s",
)
"""Texts that a database may hold, and that must come out as text or not at all."""


MOMENT = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


@cache
def samples(text: str = "value", *, sparse: bool = False) -> dict[type[Result], Result]:
    """Make one result of each type, with ``text`` in every field that is text.

    A sparse one has nothing in any field that may be empty.
    """
    return {kind: cast(Result, _filled(kind, text, sparse)) for kind in result_types()}


def result_types() -> set[type[Result]]:
    """Find every type of result in the package."""
    for module in pkgutil.iter_modules(results.__path__, f"{results.__name__}."):
        importlib.import_module(module.name)
    # A dataclass with slots replaces the class it was made from, which may linger.
    return {
        kind
        for kind in _below(Result)
        if getattr(sys.modules[kind.__module__], kind.__name__, None) is kind
    }


def _below(kind: type[Result]) -> Iterator[type[Result]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _filled(annotation: Any, text: str, sparse: bool) -> Any:
    """Make a value of a type that a result may hold."""
    plain = {str: text, Path: Path(text), int: 7, float: 1.5, datetime: MOMENT, bool: not sparse}
    if annotation in plain:
        return plain[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return None if sparse else _filled(_present(arguments), text, sparse)
    if origin is tuple:
        return () if sparse else (_filled(arguments[0], text, sparse),) * 2
    if origin in (dict, Mapping):
        return {} if sparse else {text: _filled(arguments[1], text, sparse)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return next(iter(annotation))
    if is_dataclass(annotation):
        hints = get_type_hints(annotation)
        values = {item.name: _filled(hints[item.name], text, sparse) for item in fields(annotation)}
        return cast(Any, annotation)(**values)
    raise TypeError(f"no sample of {annotation}: say in samples.py how one is made")


def _present(arguments: tuple[Any, ...]) -> Any:
    return next(argument for argument in arguments if argument is not NoneType)


ERROR = Problem(exit_code=ExitCode.REFUSED, message="no consent", hint="larp db reset")
NEGATIVE = Problem(exit_code=ExitCode.NEGATIVE, message="pending: 1 revision")
