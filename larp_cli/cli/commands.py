"""The classes behind every command and group: shared options, help, lazy loading."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from larp_cli.cli import options
from larp_cli.cli.context import Context
from larp_cli.cli.streams import write_message, write_result
from larp_cli.errors import ExitCode

EXAMPLES = "Examples:\n"


def new_app(**settings: Any) -> typer.Typer:
    """Make an empty Typer app in larp's manner: plain help, no completion options of its own."""
    settings.setdefault("add_completion", False)
    return typer.Typer(
        rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, **settings
    )


class LightOption(TyperOption):
    """An option that costs nothing where it is not given.

    Typer builds a pydantic validator for every option it parses, and importing pydantic
    would more than double the time of a completion.
    """

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Validate the value, if there is one."""
        if value is None and not self.required and not self.multiple:
            return None
        return super().process_value(ctx, value)


@cache
def _declared(name: str) -> tuple[Any, ...]:
    """Turn the declarations of ``options.<name>`` into parameters."""
    app = new_app()
    app.command()(getattr(options, name))
    return tuple(get_command(app).params)


def split_help(text: str | None) -> tuple[str, list[str]]:
    """Split a docstring into its description and the lines of its examples."""
    description, _, examples = (text or "").partition(EXAMPLES)
    return description.strip(), [line.strip() for line in examples.splitlines() if line.strip()]


class _Edge:
    """What commands and groups have in common at the edge."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; an error in them is then told under the command's name."""
        ctx.obj.command_name = _path_of(ctx)
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            if type(param) is TyperOption:
                param.__class__ = LightOption  # Typer lets nobody choose the class of an option
        parsed: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return parsed

    def get_help_option(self, ctx: Any) -> Any:
        """Let ``--help`` write as results are written."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        option.callback = _show_help
        return option


class LarpCommand(_Edge, TyperCommand):
    """A command: its own options, then those that all commands share."""

    option_sets: ClassVar[tuple[str, ...]] = ("common",)
    uses_database: ClassVar[bool] = False
    deadline_by_alarm: ClassVar[bool] = True
    """Whether ``--timeout`` ends the command wherever it is, or the command heeds it itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared for name in self.option_sets for shared in _declared(name))

    def invoke(self, ctx: Any) -> Any:
        """Run the command under the shared options it was given."""
        larp: Context = ctx.obj
        larp.options.take(ctx.params)
        timeout = larp.options.timeout if self.deadline_by_alarm else None
        with larp.running(timeout, uses_database=self.uses_database):
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, then the usage, the description and the options."""
        _write_help(self, ctx, formatter, self.option_sets)


class DatabaseCommand(LarpCommand):
    """A command that works on a database, perhaps one of another Alembic project."""

    option_sets = ("alembic", "common")
    uses_database = True


class LarpGroup(_Edge, TyperGroup):
    """A group whose commands are modules beside it, imported when they are needed."""

    package: ClassVar[str]
    """Package that holds one module, or one package, for each command."""
    names: ClassVar[tuple[str, ...]]
    """The commands, in the order in which help lists them."""
    option_sets: ClassVar[tuple[str, ...]] = ("common",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared for name in self.option_sets for shared in _declared(name))

    def list_commands(self, ctx: Any) -> list[str]:
        """List the commands without importing them."""
        return list(self.names)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the module of one command."""
        if cmd_name not in self.names:
            return None
        module = import_module(f"{self.package}.{cmd_name}")
        command = get_command(module.app)
        command.name = cmd_name
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; where there are none, the help is what is missing."""
        if not args and not ctx.resilient_parsing:
            write_message(ctx.get_help())
            raise typer.Exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a misspelt name is answered with the one that was meant."""
        if args[0] not in self.names and not ctx.resilient_parsing:
            similar = get_close_matches(args[0], self.names, 1)
            meant = f". Did you mean '{similar[0]}'?" if similar else ""
            ctx.fail(f"No such command '{args[0]}'{meant}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Take the shared options given before the command's name, then run it."""
        ctx.obj.options.take(ctx.params)
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, then the usage, the description, commands and options."""
        _write_help(self, ctx, formatter, self.option_sets)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands; the options follow in sections of their own."""
        self.format_commands(ctx, formatter)


def group(
    package: str, names: tuple[str, ...], option_sets: tuple[str, ...] = ("common",)
) -> type[LarpGroup]:
    """Make the class of a group whose commands are the named modules of ``package``."""
    attributes = {"package": package, "names": names, "option_sets": option_sets}
    return type("Group", (LarpGroup,), attributes)


def _path_of(ctx: Any) -> str:
    """Name the command as the JSON document does: without the program."""
    path: str = ctx.command_path
    return path.partition(" ")[2]


def _show_help(ctx: Any, _param: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        write_result(ctx.get_help())
        raise typer.Exit


def _write_help(
    command: TyperCommand | TyperGroup, ctx: Any, formatter: Any, option_sets: tuple[str, ...]
) -> None:
    description, examples = split_help(command.help)
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        formatter.write_paragraph()
    command.format_usage(ctx, formatter)
    formatter.write_paragraph()
    with formatter.indentation():
        for paragraph in description.split("\n\n"):
            formatter.write_text(" ".join(paragraph.split()))
            formatter.write_paragraph()
    if isinstance(command, LarpGroup):
        command.format_options(ctx, formatter)
    shared = {id(option) for name in option_sets for option in _declared(name)}
    own = [param for param in command.get_params(ctx) if id(param) not in shared]
    common = [param for param in command.get_params(ctx) if id(param) in shared]
    for title, params in (
        ("Arguments", [param for param in own if param.param_type_name == "argument"]),
        ("Options", [param for param in own if param.param_type_name == "option"]),
        ("Common options", common),
    ):
        records = [record for param in params if (record := param.get_help_record(ctx))]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
