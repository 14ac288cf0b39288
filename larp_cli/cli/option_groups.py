"""A dataclass whose fields are options, as one parameter of a command.

A command with many options takes them as one object::

    @dataclass(frozen=True)
    class UpdateOptions:
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False

    @app.command(cls=LarpCommand)
    @expand_options
    def update(ctx: typer.Context, options: UpdateOptions) -> None: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def list_fields(options: type) -> list[Parameter]:
    """List the fields of a dataclass as parameters of a function."""
    hints = get_type_hints(options, include_extras=True)
    return [
        Parameter(
            item.name, Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name]
        )
        for item in fields(options)
    ]


def expand_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let every field of a parameter that is a dataclass be an option of the command."""
    hints = get_type_hints(function, include_extras=True)
    parameters: list[Parameter] = []
    groups: dict[str, type] = {}
    for item in signature(function).parameters.values():
        kind = hints[item.name]
        if is_dataclass(kind) and isinstance(kind, type):
            groups[item.name] = kind
            parameters += list_fields(kind)
        else:
            parameters.append(item.replace(annotation=kind, kind=Parameter.KEYWORD_ONLY))

    @wraps(function)
    def call(**values: Any) -> None:
        for name, kind in groups.items():
            given = {item.name: values.pop(item.name) for item in fields(kind)}
            values[name] = kind(**given)
        function(**values)

    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {item.name: item.annotation for item in parameters}
    return call
