"""Every result in every format: one data set feeds them all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from larp_cli.redaction import MASK
from larp_cli.rendering import human
from larp_cli.rendering import json as json_format
from larp_cli.rendering import plain
from larp_cli.rendering.answer import Answer
from larp_cli.rendering.describe import describe
from larp_cli.results import (
    ConfigCheck,
    EmbeddedState,
    Initialised,
    Migrated,
    MigrationStatus,
    Result,
    ShellOutput,
)
from tests.unit.rendering.formats import (
    COLOUR_ONLY,
    FORMATS,
    VERBATIM,
    Render,
    answer_with,
    every_described_type,
    every_format,
    every_type,
    of_types,
    rendered,
)
from tests.unit.rendering.samples import HOSTILE, SECRET, samples


def test_the_data_set_knows_every_type_of_result() -> None:
    """A result type that is added is rendered by these tests from its first day."""
    assert {Initialised, Migrated, MigrationStatus, ShellOutput, *VERBATIM} <= set(samples())


# The environment is unknown only where the settings have faults.
@of_types(ConfigCheck)
@every_format
def test_a_result_with_little_to_say_says_no_none(kind: type[Result], render: Render) -> None:
    """What is not known is left out or told in words; only JSON has a null for it."""
    written = render(Answer.of("db test", samples(sparse=True)[kind]))

    assert "None" not in written


@every_type
@every_format
def test_every_result_has_something_to_say(kind: type[Result], render: Render) -> None:
    """No format fails on a result that is filled to the last field, or swallows it."""
    assert "value" in render(answer_with(kind))


def test_a_result_without_a_description_is_told_as_such() -> None:
    """A forgotten description fails loudly, under the name of the type."""
    with pytest.raises(TypeError, match="no description of Result"):
        describe(Result())


# --- text that is not ours ----------------------------------------------------------


@every_described_type
@every_format
def test_no_text_steers_the_terminal(kind: type[Result], render: Render) -> None:
    """Escape sequences, bells, backspaces and reversed writing are shown or dropped, not obeyed."""
    for text in HOSTILE:
        written = render(answer_with(kind, text))

        assert "\x1b[31m" not in written
        rest = set(COLOUR_ONLY.sub("", written)) - {"\n", "\t"}
        assert {character for character in rest if not character.isprintable()} == set()


@every_type
@pytest.mark.parametrize("format_name", ["human", "human in colour", "plain"])
def test_text_is_never_taken_for_markup(kind: type[Result], format_name: str) -> None:
    """What looks like rich's markup, an emoji code or a placeholder comes out as it is."""
    for text in ("[red]x[/red]", "[link=x]y[/link]", ":smile:", "{0} %s"):
        assert text in COLOUR_ONLY.sub("", FORMATS[format_name](answer_with(kind, text)))


# --- secrets ------------------------------------------------------------------------


@every_described_type
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_secret_in_any_field_is_hidden(kind: type[Result], format_name: str) -> None:
    """Whichever field a known secret got into, no format shows it."""
    module = {"plain": plain, "json": json_format}.get(format_name, human)
    render = rendered(module, colour="colour" in format_name, secrets=(SECRET,))

    written = render(answer_with(kind, f"before {SECRET} after"))

    assert SECRET not in written
    assert MASK in written


@pytest.mark.parametrize("secret", ["open  sesame  7f3a", "open\tsesame 7f3a", "open\nsesame 7f3a"])
@pytest.mark.parametrize("format_name", ["human", "plain", "json"])
def test_a_secret_with_blanks_is_hidden_before_blanks_are_folded(
    secret: str, format_name: str
) -> None:
    """Folding the blanks first would leave a secret that nobody knows again."""
    module = {"human": human, "plain": plain, "json": json_format}[format_name]
    render = rendered(module, secrets=(secret,))

    written = render(answer_with(EmbeddedState, secret))

    assert "sesame" not in written
    assert "7f3a" not in written


@pytest.mark.parametrize("kind", sorted(VERBATIM, key=str))
@every_format
def test_the_product_itself_is_not_redacted(kind: type[Result], render: Render) -> None:
    """A generated key is what was asked for, and is written as it is."""
    assert "SECRET_KEY=abcdefgh" in render(answer_with(kind, "SECRET_KEY=abcdefgh"))


# --- the few sentences with a condition ---------------------------------------------


def test_a_migration_with_nothing_to_do_says_so() -> None:
    """Nothing pending is told in a sentence, not in an empty table."""
    migrated = samples()[Migrated]
    assert isinstance(migrated, Migrated)

    written = FORMATS["plain"](Answer.of("db migrate", replace(migrated, applied=())))

    assert written == "nothing to do: value is at value, value"


def test_an_initialisation_tells_of_the_database_it_created() -> None:
    """Creating a database is worth a line; finding one is not."""
    done = samples()[Initialised]
    assert isinstance(done, Initialised)

    assert "created the database value" in FORMATS["plain"](Answer.of("db init", done))
    found = replace(done, created_database=False, seeded=None)
    assert "created" not in FORMATS["plain"](Answer.of("db init", found))


def test_a_stopped_server_has_no_url_to_show() -> None:
    """Facts that are not known are left out, not written as None."""
    stopped = EmbeddedState(
        running=False,
        kept=False,
        data_directory=Path("/data"),
        version=None,
        url=None,
        was_changed=False,
    )

    for format_name in ("human", "plain"):
        written = FORMATS[format_name](Answer.of("db stop", stopped))
        assert "stopped" in written
        assert "None" not in written
