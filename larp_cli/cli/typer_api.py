"""What larp uses of Typer beyond its documentation: the classes of commands, groups and options.

Typer carries a copy of click and documents none of its classes. `Command` and `Group` give their
moments names of our own, so that no other module depends on Typer's. The contract is tested in
``tests/unit/cli/test_typer_api.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from inspect import Signature
from io import StringIO
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from larp_cli.cli.option_groups import list_fields
from larp_cli.cli.streams import write_result

Parameter = Any
"""An option or an argument of a command."""


def run_app(app: typer.Typer, words: list[str], *, name: str, obj: object) -> Any:
    """Run a command line; returns the exit code that the command asked for, if any.

    Typer's own ``main`` answers completion alone: it would also end silently with 1 where the
    command's work meets a broken pipe, and take an EOFError of a revision for a missing answer.

    Raises:
        typer.TyperException: The command line is wrong.
        SystemExit: The shell asked for completion.
    """
    command = get_command(app)
    if f"_{name.upper()}_COMPLETE" in os.environ:
        with _print_as_result():
            return command.main(words, prog_name=name, standalone_mode=False, obj=obj)
    try:
        with _print_as_result():
            context = command.make_context(name, list(words), obj=obj)
        with context:
            return command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code


@contextmanager
def _print_as_result() -> Iterator[None]:
    """Let what Typer itself prints, such as a completion script, be written like a result."""
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        if printed.getvalue():
            write_result(printed.getvalue())


def list_parameters(options: type) -> tuple[Parameter, ...]:
    """Turn the fields of a dataclass into parameters of a command."""

    def declare(**_values: Any) -> None: ...

    declare.__signature__ = Signature(list_fields(options))  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(declare)
    return tuple(get_command(app).params)


@dataclass(frozen=True, slots=True)
class GivenOption:
    """An option that the user gave."""

    name: str
    value: Any
    from_variable: bool
    """Whether an environment variable gave it, rather than the command line."""


def take_given(ctx: typer.Context, names: Iterable[str]) -> Iterator[GivenOption]:
    """Take options out of the parameters of a command; yields those that were given, in order."""
    wanted = set(names)
    for name in [name for name in ctx.params if name in wanted]:
        value, source = ctx.params.pop(name), ctx.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"):
            yield GivenOption(name, value, source.name == "ENVIRONMENT")


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


def _lighten(parameters: Iterable[Parameter]) -> None:
    for parameter in parameters:
        if type(parameter) is TyperOption:
            parameter.__class__ = LightOption  # Typer offers no way to choose the class


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help of one command while it is being written."""

    command: Any
    context: Any
    formatter: Any

    def write_lines(self, title: str, lines: list[str]) -> None:
        """Write a section of lines as they are; nothing where there are none."""
        if not lines:
            return
        with self.formatter.section(title):
            for line in lines:
                self.formatter.write(f"{'':{self.formatter.current_indent}}{line}\n")
        self.formatter.write_paragraph()

    def write_usage(self) -> None:
        """Write how the command is called."""
        self.command.format_usage(self.context, self.formatter)
        self.formatter.write_paragraph()

    def write_paragraphs(self, text: str) -> None:
        """Write a text, wrapped; an empty line separates two paragraphs."""
        with self.formatter.indentation():
            for paragraph in text.split("\n\n"):
                self.formatter.write_text(" ".join(paragraph.split()))
                self.formatter.write_paragraph()

    def write_commands(self) -> None:
        """Write the commands of a group, with the first line of each one's help."""
        if isinstance(self.command, Group):
            self.command.format_commands(self.context, self.formatter)

    def write_parameters(self) -> None:
        """Write the arguments, the command's own options, and the common ones."""
        parameters = self.command.get_params(self.context)
        shared = self.command.list_common()
        own = [item for item in parameters if item not in shared]
        common = [item for item in parameters if item in shared]
        for title, chosen in (
            ("Arguments", [item for item in own if item.param_type_name == "argument"]),
            ("Options", [item for item in own if item.param_type_name == "option"]),
            ("Common options", common),
        ):
            records = [record for item in chosen if (record := item.get_help_record(self.context))]
            if records:
                with self.formatter.section(title):
                    self.formatter.write_dl(records)


class Hooks:
    """What `Command` and `Group` share; a subclass fills in what it needs."""

    def list_common(self) -> tuple[Parameter, ...]:
        """Return the parameters that many commands have; they work like the command's own."""
        return ()

    def prepare(self, ctx: typer.Context) -> None:
        """Do what has to be done before the words are parsed."""

    def run(self, ctx: typer.Context, invoke: Callable[[], Any]) -> Any:
        """Run the command, its words parsed."""
        return invoke()

    def show_help(self, ctx: typer.Context) -> None:
        """Answer ``--help``."""
        typer.echo(ctx.get_help())

    def write_help(self, page: HelpPage) -> None:
        """Write the help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(self.list_common())  # type: ignore[attr-defined]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words, after `prepare`."""
        self.prepare(ctx)
        _lighten(self.get_params(ctx))  # type: ignore[attr-defined]
        parsed: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return parsed

    def invoke(self, ctx: Any) -> Any:
        """Run the command through `run`."""
        return self.run(ctx, lambda: super(Hooks, self).invoke(ctx))  # type: ignore[misc]

    def get_help_option(self, ctx: Any) -> Any:
        """Let ``--help`` call `show_help`."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        option.callback = self._answer_help
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help through `write_help`."""
        self.write_help(HelpPage(self, ctx, formatter))

    def _answer_help(self, ctx: Any, _option: Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            self.show_help(ctx)
            raise typer.Exit


class Command(Hooks, TyperCommand):
    """A command of Typer with our hooks."""


class Group(Hooks, TyperGroup):
    """A group of Typer with our hooks, whose commands are imported when they are needed."""

    names: tuple[str, ...] = ()
    """The commands, in the order in which help lists them."""

    def load(self, name: str) -> typer.Typer:
        """Import the app of one command."""
        raise NotImplementedError

    def answer_no_words(self, ctx: typer.Context) -> None:
        """Answer a command line that ends with this group; may raise `typer.Exit`."""

    def refuse_name(self, ctx: typer.Context, name: str) -> None:
        """Answer a name that no command has; may call ``ctx.fail``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the commands without importing them."""
        return list(self.names)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command; None where the group has none of that name."""
        if cmd_name not in self.names:
            return None
        command = get_command(self.load(cmd_name))
        command.name = cmd_name
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; where there are none, `answer_no_words` has its say first."""
        if not args and not ctx.resilient_parsing:
            self.answer_no_words(ctx)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; about a name that is unknown `refuse_name` has its say first."""
        if args[0] not in self.names and not ctx.resilient_parsing:
            self.refuse_name(ctx, args[0])
        return super().resolve_command(ctx, args)
