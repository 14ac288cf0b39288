"""A dataclass of options as one parameter of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer

from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.typer_api import run_app


@dataclass(frozen=True)
class Drink:
    """What there is to choose."""

    size: Annotated[int, typer.Option("--size", min=1, help="How much.")] = 3
    extras: Annotated[list[str] | None, typer.Option("--extra", "-e")] = None


@pytest.fixture
def app() -> typer.Typer:
    """A program that takes an argument, a group of options, and one more option."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command()
    @expand_options
    def brew(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument()],
        drink: Drink,
        hot: Annotated[bool, typer.Option("--hot")] = False,
    ) -> None:
        """Brew something."""
        ctx.obj.append((name, drink, hot))

    return app


def called(app: typer.Typer, *words: str) -> Any:
    """Run a command line; returns what the function was given."""
    given: list[Any] = []
    run_app(app, list(words), name="brew", obj=given)
    return given[0]


def test_options_that_are_given_are_in_the_object(app: typer.Typer) -> None:
    """Beside the parameters that are not in it."""
    assert called(app, "tea", "--size", "5", "-e", "milk", "-e", "honey", "--hot") == (
        "tea",
        Drink(5, ["milk", "honey"]),
        True,
    )


def test_options_that_are_not_given_have_their_defaults(app: typer.Typer) -> None:
    """Those of the dataclass."""
    assert called(app, "tea") == ("tea", Drink(), False)


def test_a_value_that_an_option_does_not_take_is_refused(app: typer.Typer) -> None:
    """As without the object."""
    with pytest.raises(typer.TyperException) as caught:
        called(app, "tea", "--size", "0")

    assert "--size" in caught.value.format_message()


def test_the_help_has_the_docstring_and_every_option(
    app: typer.Typer, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order in which they are declared."""
    run_app(app, ["--help"], name="brew", obj=[])

    words = capsys.readouterr().out.split()
    assert " ".join(words).startswith("Usage: brew [OPTIONS] {name} Brew something.")
    assert [word for word in words if word.startswith("--")] == [
        "--size", "--extra", "--hot", "--help",
    ]  # fmt: skip
