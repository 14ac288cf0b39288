"""What is pending and what is unknown, told from the graph of the revisions alone."""

from __future__ import annotations

import pytest

from larp_cli.errors import ConfigurationError
from larp_cli.health.subject import Subject, ordered
from larp_cli.postgres.url import normalise_url

GRAPH = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)}


@pytest.fixture
def subject() -> Subject:
    """A history with two branches that are merged."""
    return Subject(
        url=normalise_url("postgresql://db/larp"),
        schema=None,
        version_table="alembic_version",
        graph=ordered(GRAPH),
        ledger_schemas=(),
    )


@pytest.mark.parametrize(
    ("current", "pending"),
    [
        ((), ("a", "b", "c", "d", "e")),
        (("a",), ("b", "c", "d", "e")),
        (("b",), ("c", "d", "e")),
        (("b", "c"), ("d", "e")),
        (("e",), ()),
        (("gone",), ()),
        (("b", "gone"), ()),
    ],
)
def test_what_no_stamp_stands_for_is_pending_oldest_first(
    subject: Subject, current: tuple[str, ...], pending: tuple[str, ...]
) -> None:
    """A stamp stands for all that it builds on, through merges too."""
    assert subject.pending(current) == pending


def test_a_stamp_without_a_file_is_unknown(subject: Subject) -> None:
    """That is how a database which is ahead is known."""
    assert subject.unknown(("e", "gone")) == ("gone",)


def test_a_long_history_is_no_deep_recursion() -> None:
    """Thousands of revisions in a row are counted."""
    graph = {f"r{number}": ((f"r{number - 1}",) if number else ()) for number in range(5000)}
    subject = Subject(
        url=normalise_url("postgresql://db/larp"),
        schema="larp",
        version_table="alembic_version",
        graph=ordered(graph),
        ledger_schemas=(),
    )

    assert len(subject.pending(("r0",))) == 4999
    assert subject.pending(("r0",))[0] == "r1"


@pytest.mark.parametrize("graph", [{"a": ("a",)}, {"a": ("b",), "b": ("a",)}])
def test_a_circle_of_revisions_is_a_configuration_error(graph: dict[str, tuple[str, ...]]) -> None:
    """It is told, and no look goes round in it for ever."""
    with pytest.raises(ConfigurationError, match="circle"):
        ordered(graph)


def test_a_revision_that_builds_on_a_missing_one_is_put_in_order() -> None:
    """What is not on disk is no revision of ours."""
    assert list(ordered({"b": ("gone",), "c": ("b",)})) == ["b", "c"]
