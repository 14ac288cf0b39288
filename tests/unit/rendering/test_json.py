"""Results as JSON: the contract with programs."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from larp_cli.errors import ExitCode, Refused
from larp_cli.rendering import json as json_format
from larp_cli.rendering.answer import Answer
from larp_cli.results import MigrationStatus, Result, ShellOutput
from tests.unit.rendering.formats import FORMATS, answer_with, every_type
from tests.unit.rendering.samples import HOSTILE, samples

ENVELOPE = ["schema_version", "command", "exit_code", "changed", "result", "error"]


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

    assert document["exit_code"] == sample.exit_code
    assert document["changed"] is sample.changed
    assert (document["error"] is None) == (sample.exit_code is ExitCode.OK)


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
