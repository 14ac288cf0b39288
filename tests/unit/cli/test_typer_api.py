"""Contract with Typer: which methods of commands, groups and options it calls, and when."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.core import TyperOption

from larp_cli.cli.typer_api import (
    Command,
    GivenOption,
    Group,
    HelpPage,
    LightOption,
    list_parameters,
    run_app,
    take_given,
)


@dataclass
class Loudness:
    """What both commands take."""

    loud: Annotated[bool, typer.Option("--loud", help="Shout.")] = False


SHARED = list_parameters(Loudness)


class Spoken(Command):
    """A command that notes which of its hooks are called."""

    def list_common(self) -> tuple[Any, ...]:
        """Take ``--loud`` as well."""
        return SHARED

    def prepare(self, ctx: typer.Context) -> None:
        """Note the path."""
        ctx.obj.append(("prepare", ctx.command_path))

    def run(self, ctx: typer.Context, invoke: Callable[[], Any]) -> Any:
        """Take the common option out, and note it."""
        ctx.obj.append(("run", ctx.params.pop("loud")))
        return invoke()

    def show_help(self, ctx: typer.Context) -> None:
        """Note the help."""
        ctx.obj.append(("help", ctx.get_help()))

    def write_help(self, page: HelpPage) -> None:
        """Write every part of the page."""
        page.write_lines("Examples", ["talk say hello"])
        page.write_usage()
        page.write_paragraphs("First.\n\nSecond.")
        page.write_commands()
        page.write_parameters()


def say(
    ctx: typer.Context,
    word: Annotated[str, typer.Argument(help="What to say.")],
    times: Annotated[int | None, typer.Option("--times", min=1, help="How often.")] = None,
) -> None:
    """Say a word."""
    ctx.obj.append(("say", word, times))


class Talk(Group):
    """A group that loads its only command, and answers what it does not know."""

    names = ("say",)

    def load(self, name: str) -> typer.Typer:
        """Make the app of the command."""
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(cls=Spoken)(say)
        return app

    def answer_no_words(self, ctx: typer.Context) -> None:
        """End with a code of our own."""
        ctx.obj.append(("no words",))
        raise typer.Exit(9)

    def refuse_name(self, ctx: typer.Context, name: str) -> None:
        """Fail in our own words."""
        ctx.fail(f"nobody says {name}")

    def write_help(self, page: HelpPage) -> None:
        """Write the commands."""
        page.write_commands()


@pytest.fixture
def app() -> typer.Typer:
    """A program with a group of one command."""
    made = typer.Typer(cls=Talk, add_completion=False, rich_markup_mode=None)
    made.callback()(lambda: None)
    return made


def called(app: typer.Typer, *words: str) -> list[tuple[Any, ...]]:
    """Run a command line and return what was noted."""
    notes: list[tuple[Any, ...]] = []
    run_app(app, list(words), name="talk", obj=notes)
    return notes


def test_hooks_are_called_in_order(app: typer.Typer) -> None:
    """A command is prepared, run with its common parameters, and then called without them."""
    assert called(app, "say", "hello", "--times", "2", "--loud") == [
        ("prepare", "talk say"),
        ("run", True),
        ("say", "hello", 2),
    ]


def test_the_exit_code_is_returned(app: typer.Typer) -> None:
    """`typer.Exit` does not end the process."""
    assert run_app(app, [], name="talk", obj=[]) == 9
    assert called(app) == [("no words",)]


def test_an_unknown_name_is_refused_in_our_words(app: typer.Typer) -> None:
    """The failure is a TyperException with a message."""
    with pytest.raises(typer.TyperException) as caught:
        called(app, "shout")

    assert caught.value.format_message() == "nobody says shout"


def test_a_wrong_value_is_a_typer_exception(app: typer.Typer) -> None:
    """It names the option."""
    with pytest.raises(typer.TyperException) as caught:
        called(app, "say", "hello", "--times", "none")

    assert "--times" in caught.value.format_message()


def test_help_is_written_by_our_hook(app: typer.Typer) -> None:
    """Each part of the page is there, and the common options come last."""
    (_, path), (_, text) = called(app, "say", "--help")

    assert path == "talk say"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    heads = [line for line in lines if line.endswith(":") or line.startswith("Usage")]
    assert heads == [
        "Examples:",
        "Usage: talk say [OPTIONS] {word}",
        "Arguments:",
        "Options:",
        "Common options:",
    ]
    assert lines[1] == "talk say hello"
    assert [line.split()[0] for line in lines if line.startswith("--")] == [
        "--times",
        "--help",
        "--loud",
    ]


def test_the_help_of_a_group_lists_its_commands(
    app: typer.Typer, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the first line of each one's help; by default it goes to stdout."""
    called(app, "--help")

    assert capsys.readouterr().out.split() == ["Commands:", "say", "Say", "a", "word."]


def test_given_options_are_known_in_their_order(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typer keeps the order of the command line, and says what a variable gave."""

    def declare_some(
        first: Annotated[str, typer.Option(envvar="FIRST")] = "",
        second: Annotated[bool, typer.Option()] = False,
        third: Annotated[str, typer.Option()] = "",
        fourth: Annotated[str, typer.Option()] = "",
    ) -> None:
        """Declare four options."""

    taken: list[GivenOption] = []

    class Taking(Command):
        def run(self, ctx: typer.Context, invoke: Callable[[], Any]) -> Any:
            taken.extend(take_given(ctx, ("first", "second", "third")))
            assert list(ctx.params) == ["fourth"]

    made = typer.Typer(add_completion=False, rich_markup_mode=None)
    made.command(cls=Taking)(declare_some)
    monkeypatch.setenv("FIRST", "1")
    run_app(made, ["--fourth", "4", "--third", "3", "--second"], name="take", obj=None)

    assert taken == [
        GivenOption("third", "3", False),
        GivenOption("second", True, False),
        GivenOption("first", "1", True),
    ]


def test_completion_ends_the_process(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer answers it with SystemExit; nothing is run."""
    monkeypatch.setenv("_TALK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "talk s")
    monkeypatch.setenv("COMP_CWORD", "1")

    with pytest.raises(SystemExit):
        called(app)


def test_an_option_is_of_the_class_that_is_made_light() -> None:
    """Typer builds TyperOption, whose instances can change their class."""
    (loud,) = SHARED

    assert type(loud) in (TyperOption, LightOption)
    assert issubclass(LightOption, TyperOption)


def test_an_option_that_is_not_given_imports_no_pydantic() -> None:
    """Nor does one that is a flag; without the light class, parsing would import it."""
    program = (
        "import sys, typer\n"
        "from larp_cli.cli.typer_api import Command, run_app\n"
        "app = typer.Typer(add_completion=False, rich_markup_mode=None)\n"
        "def go(times: int = typer.Option(None)): pass\n"
        "app.command(cls={cls})(go)\n"
        "run_app(app, [], name='go', obj=None)\n"
        "print('pydantic' in sys.modules)\n"
    )

    def imports_pydantic(cls: str) -> bool:
        done = subprocess.run(
            [sys.executable, "-c", program.format(cls=cls)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip() == "True"

    assert not imports_pydantic("Command")
    assert imports_pydantic("None"), "Typer has become light: LightOption can go"
