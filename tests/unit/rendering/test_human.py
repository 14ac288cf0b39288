"""Results for a person: folded to the terminal, in colour where it is wanted."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from larp_cli.rendering.describe import describe
from larp_cli.rendering.document import Block, Line
from larp_cli.results import MigrationStatus, Result
from tests.unit.rendering.formats import (
    COLOUR_ONLY,
    FORMATS,
    answer_with,
    every_described_type,
    every_type,
)


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
