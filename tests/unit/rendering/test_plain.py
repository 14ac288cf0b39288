"""Results for a pipe: whole lines, and nothing but text."""

from __future__ import annotations

import pytest

from larp_cli.rendering import plain
from larp_cli.results import Result
from tests.unit.rendering.formats import (
    FORMATS,
    OF_SEVERAL_LINES,
    VERBATIM,
    answer_with,
    every_type,
    of_types,
    rendered,
)


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
