"""Errors, and an answer of no, as lines that operators look for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from larp_cli.rendering import problem
from tests.unit.rendering.formats import COLOUR_ONLY
from tests.unit.rendering.samples import ERROR, HOSTILE, NEGATIVE


def test_an_error_is_a_line_and_its_hint_another() -> None:
    """The exact text that operators look for."""
    assert problem.render(ERROR, colour=False) == "error: no consent\nhint: larp db reset"


def test_a_negative_answer_is_not_called_an_error() -> None:
    """Exit code 3 is an answer, not an error."""
    assert problem.render(NEGATIVE, colour=False) == "pending: 1 revision"


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
