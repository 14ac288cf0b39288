"""Every result in every format: one data set feeds them all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from larp_cli.errors import ExitCode, Refused
from larp_cli.redaction import MASK, Redactor
from larp_cli.rendering import human
from larp_cli.rendering import json as json_format
from larp_cli.rendering import plain, problem
from larp_cli.rendering.answer import Answer
from larp_cli.rendering.describe import describe
from larp_cli.rendering.document import Block, Line
from larp_cli.results import (
    ConfigCheck,
    ConfigTemplate,
    EmbeddedState,
    GeneratedSecret,
    Initialised,
    Migrated,
    MigrationStatus,
    Result,
    ShellOutput,
)
from tests.unit.rendering.samples import (
    ERROR,
    HOSTILE,
    NEGATIVE,
    SECRET,
    samples,
)

ENVELOPE = ["schema_version", "command", "exit_code", "changed", "result", "error"]
COLOUR_ONLY = re.compile(r"\x1b\[[0-9;]*m")
VERBATIM: set[type[Result]] = {ConfigTemplate, GeneratedSecret}
"""Results whose text is the product: never redacted, never folded."""

OF_SEVERAL_LINES = {ShellOutput} | {
    kind
    for kind, sample in samples().items()
    if any(isinstance(part, Block) for part in describe(sample))
}
"""Results with text whose line breaks mean something."""

type Render = Callable[[Answer], str]


def rendered(module: Any, *, colour: bool = False, secrets: tuple[str, ...] = ()) -> Render:
    """Return one format as a function of the answer alone."""
    redact = Redactor(secrets).redact
    return lambda answer: str(module.render(answer, redact=redact, colour=colour))


FORMATS = {
    "human": rendered(human),
    "human in colour": rendered(human, colour=True),
    "plain": rendered(plain),
    "json": rendered(json_format),
}
every_format = pytest.mark.parametrize("render", FORMATS.values(), ids=list(FORMATS))


def of_types(*left_out: type[Result]) -> pytest.MarkDecorator:
    """Run a test for every type of result but these."""
    kinds = sorted(samples().keys() - set(left_out), key=lambda kind: kind.__name__)
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


every_type = of_types()
every_described_type = of_types(*VERBATIM)


def answer_with(kind: type[Result], text: str = "value") -> Answer:
    """Wrap the sample of a type."""
    return Answer.of("db test", samples(text)[kind])


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


# --- json ---------------------------------------------------------------------------


@every_type
def test_json_is_one_document_with_the_documented_envelope(kind: type[Result]) -> None:
    """The envelope's fields and their order are the contract with programs."""
    document = json.loads(FORMATS["json"](answer_with(kind)))

    assert list(document) == ENVELOPE
    assert document["schema_version"] == 1
    assert document["command"] == "db test"
    assert isinstance(document["result"], dict)


@every_type
def test_json_holds_every_field_of_the_result(kind: type[Result]) -> None:
    """What stands in the dataclass stands in the document, under the same name."""
    sample = samples()[kind]
    document = json.loads(FORMATS["json"](Answer.of("x", sample)))

    assert set(document["result"]) == {field.name for field in fields(sample)}


@every_type
def test_json_tells_the_exit_code_and_the_change_of_the_result(kind: type[Result]) -> None:
    """The envelope repeats what the result says of itself."""
    sample = samples()[kind]
    document = json.loads(FORMATS["json"](Answer.of("x", sample)))

    code = sample.problem.exit_code if sample.problem else ExitCode.OK
    assert document["exit_code"] == code
    assert document["changed"] is sample.changed
    assert (document["error"] is None) == (sample.problem is None)


def test_json_of_an_error_has_a_code_a_message_and_a_hint() -> None:
    """A failure has the same envelope, without a result."""
    answer = Answer.of_error("db reset", Refused("no consent", hint="larp db reset"))
    document = json.loads(FORMATS["json"](answer))

    assert list(document) == ENVELOPE
    assert document["result"] is None
    assert document["exit_code"] == ExitCode.REFUSED
    assert document["error"] == {
        "code": "REFUSED",
        "message": "no consent",
        "hint": "larp db reset",
    }


def test_json_writes_times_as_iso_8601_and_states_by_name() -> None:
    """Programs get values in the forms that they can read back."""
    by_name = {kind.__name__: kind for kind in samples()}
    history = json.loads(FORMATS["json"](answer_with(by_name["History"])))
    status = json.loads(FORMATS["json"](answer_with(MigrationStatus)))

    assert history["result"]["revisions"][0]["created"] == "2026-11-22T19:00:00+00:00"
    assert status["result"]["state"] == "not_initialised"
    assert status["result"]["pending"][0]["path"] == "value"


@pytest.mark.parametrize("text", [*HOSTILE, "sésame 開け", "\ud800", 'quote " and \\'])
def test_json_keeps_any_text_and_is_written_in_ascii(text: str) -> None:
    """Whatever a database holds, the document parses and gives it back, in any locale."""
    written = FORMATS["json"](answer_with(ShellOutput, text))

    assert written.isascii()
    assert json.loads(written)["result"]["output"] == text


def test_json_refuses_what_it_cannot_hold() -> None:
    """A value of an unforeseen type is a bug, not a repr in the document."""
    with pytest.raises(TypeError, match="which JSON cannot"):
        json_format.encode(object(), str)


# --- plain --------------------------------------------------------------------------


@every_type
def test_plain_never_truncates_and_never_wraps(
    kind: type[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However narrow the terminal is said to be, a pipe gets whole lines."""
    monkeypatch.setenv("COLUMNS", "10")
    long = "long-" * 60

    assert any(long in line for line in FORMATS["plain"](answer_with(kind, long)).splitlines())


@of_types(*VERBATIM, *OF_SEVERAL_LINES)
def test_plain_has_as_many_lines_whatever_the_values_hold(kind: type[Result]) -> None:
    """A line break in a value does not become a line of its own."""
    harmless = FORMATS["plain"](answer_with(kind))
    broken = FORMATS["plain"](answer_with(kind, "first\nsecond\tthird"))

    assert len(broken.splitlines()) == len(harmless.splitlines())
    assert broken.count("\t") == harmless.count("\t")


@every_type
def test_plain_ignores_a_wish_for_colour(kind: type[Result]) -> None:
    """Plain means plain, also with FORCE_COLOR."""
    assert "\x1b" not in rendered(plain, colour=True)(answer_with(kind))


# --- human --------------------------------------------------------------------------


@every_described_type
@pytest.mark.parametrize("columns", [40, 60, 120])
def test_human_fits_the_terminal(
    kind: type[Result], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and facts fold within the width; sentences and SQL are left to the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    answer = answer_with(kind, "long-" * 12)
    assert answer.result is not None
    texts = [part.text for part in describe(answer.result) if isinstance(part, Line | Block)]
    sentences = {line for text in texts for line in text.splitlines()}

    lines = FORMATS["human"](answer).splitlines()

    wide = [line for line in lines if cell_len(line) > columns and line not in sentences]
    assert wide == []


@every_type
def test_human_folds_instead_of_cutting(
    kind: type[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value too long for its column is written on over the next line, to its end."""
    monkeypatch.setenv("COLUMNS", "60")
    written = FORMATS["human"](answer_with(kind, "x" * 80 + "END"))

    assert "…" not in written
    assert "D" in written


@every_type
def test_human_has_colour_only_where_it_is_wanted(kind: type[Result]) -> None:
    """Without colour there is not one escape; with it, nothing but colours."""
    assert "\x1b" not in FORMATS["human"](answer_with(kind))
    coloured = COLOUR_ONLY.sub("", FORMATS["human in colour"](answer_with(kind)))
    bare = "\n".join(line.rstrip() for line in coloured.splitlines())
    assert bare.rstrip() == FORMATS["human"](answer_with(kind)).rstrip()


def test_human_marks_the_names_of_facts_when_there_is_colour() -> None:
    """The names stand out from the values."""
    assert "\x1b[1mserver" in FORMATS["human in colour"](answer_with(MigrationStatus))


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


# --- problems -----------------------------------------------------------------------


def test_an_error_is_a_line_and_its_hint_another() -> None:
    """The exact text that operators look for."""
    assert problem.render(ERROR, colour=False) == "error: no consent\nhint: larp db reset"


def test_an_answer_of_no_is_not_called_an_error() -> None:
    """Exit code 3 is an answer."""
    assert problem.render(NEGATIVE, colour=False) == "no: pending: 1 revision"


def test_only_the_label_of_a_problem_is_coloured() -> None:
    """Colour helps to find the line; the words stay copyable."""
    coloured = problem.render(ERROR, colour=True)

    assert coloured.splitlines()[0] == "\x1b[1;31merror:\x1b[0m no consent"
    assert COLOUR_ONLY.sub("", coloured) == problem.render(ERROR, colour=False)


@pytest.mark.parametrize("text", HOSTILE)
def test_the_text_of_a_problem_does_not_steer_the_terminal(text: str) -> None:
    """A server's message may hold anything."""
    written = problem.render(replace(ERROR, message=text, hint=text), colour=False)

    assert all(character.isprintable() or character == "\n" for character in written)


def test_a_problem_of_several_lines_keeps_them() -> None:
    """Every fault of the settings stands on a line of its own."""
    faults = replace(ERROR, message="2 settings are wrong:\n  DEBUG: no\n  SERVE_PORT: no")

    assert problem.render(faults, colour=False).splitlines()[1] == "  DEBUG: no"
