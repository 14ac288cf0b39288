"""The classes behind every command and group: shared options, help, lazy loading."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

import typer

from larp_cli.cli import typer_api
from larp_cli.cli.context import Context
from larp_cli.cli.options import AlembicOptions, CommonOptions
from larp_cli.cli.streams import write_result
from larp_cli.errors import ExitCode
from larp_cli.system.streams import write_to_stderr

EXAMPLES = "Examples:\n"


def new_app(**settings: Any) -> typer.Typer:
    """Make an empty Typer app with plain help and without completion options."""
    settings.setdefault("add_completion", False)
    return typer.Typer(
        rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, **settings
    )


@cache
def list_shared(*option_sets: type) -> tuple[typer_api.Parameter, ...]:
    """Return the parameters for the fields of these dataclasses."""
    return tuple(
        parameter for options in option_sets for parameter in typer_api.list_parameters(options)
    )


def split_help(text: str | None) -> tuple[str, list[str]]:
    """Split a docstring into its description and the lines of its examples."""
    description, _, examples = (text or "").partition(EXAMPLES)
    return description.strip(), [line.strip() for line in examples.splitlines() if line.strip()]


class _Edge(typer_api.Hooks):
    """What commands and groups have in common at the edge."""

    option_sets: ClassVar[tuple[type, ...]] = (CommonOptions,)

    def list_common(self) -> tuple[typer_api.Parameter, ...]:
        """Return the parameters of the option sets."""
        return list_shared(*self.option_sets)

    def prepare(self, ctx: typer.Context) -> None:
        """Note the command's name, for errors in its words."""
        # As the JSON document has it: without the program.
        ctx.obj.command_name = ctx.command_path.partition(" ")[2]

    def take_shared(self, ctx: typer.Context) -> None:
        """Move the shared options that were given from the command into the context."""
        names = (parameter.name for parameter in self.list_common())
        ctx.obj.options.take(typer_api.take_given(ctx, names))

    def show_help(self, ctx: typer.Context) -> None:
        """Write the help as results are written."""
        write_result(ctx.get_help())

    def write_help(self, page: typer_api.HelpPage) -> None:
        """Write the examples, then the usage, the description, commands and options."""
        description, examples = split_help(page.command.help)
        page.write_lines("Examples", examples)
        page.write_usage()
        page.write_paragraphs(description)
        page.write_commands()
        page.write_parameters()


class LarpCommand(_Edge, typer_api.Command):
    """A command: its own options, then those that all commands share."""

    uses_database: ClassVar[bool] = False
    deadline_by_alarm: ClassVar[bool] = True
    """Whether ``--timeout`` ends the command wherever it is, or the command heeds it itself."""

    def run(self, ctx: typer.Context, invoke: Callable[[], Any]) -> Any:
        """Run the command under the shared options it was given."""
        larp: Context = ctx.obj
        self.take_shared(ctx)
        timeout = larp.options.timeout if self.deadline_by_alarm else None
        with larp.running(timeout, uses_database=self.uses_database):
            return invoke()


class DatabaseCommand(LarpCommand):
    """A command that works on a database, perhaps one of another Alembic project."""

    option_sets = (AlembicOptions, CommonOptions)
    uses_database = True


class LarpGroup(_Edge, typer_api.Group):
    """A group whose commands are modules beside it, imported when they are needed."""

    package: ClassVar[str]
    """Package that holds one module, or one package, for each command."""

    def run(self, ctx: typer.Context, invoke: Callable[[], Any]) -> Any:
        """Take the shared options given before the command's name, then run it."""
        self.take_shared(ctx)
        return invoke()

    def load(self, name: str) -> typer.Typer:
        """Import the module of one command."""
        app: typer.Typer = import_module(f"{self.package}.{name}").app
        return app

    def answer_no_words(self, ctx: typer.Context) -> None:
        """Show the help, and end as a wrong command line does."""
        write_to_stderr(ctx.get_help())
        raise typer.Exit(ExitCode.USAGE)

    def refuse_name(self, ctx: typer.Context, name: str) -> None:
        """Name the command that was probably meant."""
        similar = get_close_matches(name, self.names, 1)
        meant = f". Did you mean '{similar[0]}'?" if similar else ""
        ctx.fail(f"No such command '{name}'{meant}")


def group(
    package: str, names: tuple[str, ...], option_sets: tuple[type, ...] = (CommonOptions,)
) -> type[LarpGroup]:
    """Make the class of a group whose commands are the named modules of ``package``."""
    attributes = {"package": package, "names": names, "option_sets": option_sets}
    return type("Group", (LarpGroup,), attributes)
