"""The commands as the program itself has them: walked, never listed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from larp_cli.cli.commands import LarpGroup
from larp_cli.cli.context import Context
from larp_cli.cli.main import app


@dataclass(frozen=True)
class Found:
    """A command or group, and the words that lead to it."""

    path: tuple[str, ...]
    command: Any

    @property
    def words(self) -> str:
        """The words without the program, as the JSON document names the command."""
        return " ".join(self.path)

    @property
    def is_group(self) -> bool:
        """Whether it only holds commands."""
        return isinstance(self.command, LarpGroup)


def everything() -> list[Found]:
    """Find the root, every group and every command."""
    return list(_walk((), get_command(app)))


def commands() -> list[Found]:
    """Find every command that does something."""
    return [found for found in everything() if not found.is_group]


def parse(words: list[str]) -> tuple[str, ...]:
    """Parse a command line down to its command, without running it; returns its path.

    Raises:
        TyperException: A word of it does not resolve.
    """
    ctx = get_command(app).make_context("larp", list(words), obj=Context())
    path: tuple[str, ...] = ()
    while isinstance(ctx.command, LarpGroup):
        rest = [*ctx._protected_args, *ctx.args]
        name, command, rest = ctx.command.resolve_command(ctx, rest)
        path = (*path, name)
        ctx = command.make_context(name, list(rest), parent=ctx)
    return path


def _walk(path: tuple[str, ...], command: Any) -> Iterator[Found]:
    yield Found(path, command)
    if isinstance(command, LarpGroup):
        for name in command.list_commands(None):
            yield from _walk((*path, name), command.get_command(None, name))
