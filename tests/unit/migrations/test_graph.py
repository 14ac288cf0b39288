"""What is applied, pending and unknown, for a graph of revisions and some stamps."""

from __future__ import annotations

import pytest

from larp_cli.errors import ConfigurationError
from larp_cli.migrations.graph import (
    RevisionGraph,
    find_effective_heads,
    find_heads,
    find_pending,
    find_state,
    find_unknown,
    has_every_revision,
    sort_graph,
)
from larp_cli.results import DatabaseState

MERGED = RevisionGraph({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)})
"""Two branches that are merged."""

DEPENDENT = RevisionGraph({"x": (), "y": ("x",), "z": ()}, {"z": ("y",)})
"""Two histories, the second of which needs the first."""


@pytest.mark.parametrize(
    ("stamps", "pending"),
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
def test_revisions_that_no_stamp_includes_are_pending(
    stamps: tuple[str, ...], pending: tuple[str, ...]
) -> None:
    """A stamp includes everything that its revision builds on, through merges too."""
    assert find_pending(MERGED, stamps) == pending


def test_a_stamp_includes_what_its_revision_depends_on() -> None:
    """The head of the other history is no stamp of its own then, and still a head."""
    assert find_pending(DEPENDENT, ("z",)) == ()
    assert find_heads(DEPENDENT) == ("y", "z")
    assert find_effective_heads(DEPENDENT) == {"z"}
    assert has_every_revision(DEPENDENT, ("z",))
    assert not has_every_revision(DEPENDENT, ("y", "z"))


def test_a_stamp_without_a_revision_is_unknown() -> None:
    """Newer code has migrated the database."""
    assert find_unknown(MERGED, ("e", "gone")) == ("gone",)
    assert find_state(MERGED, ("e", "gone")) is DatabaseState.AHEAD


@pytest.mark.parametrize(
    ("stamps", "state"),
    [
        ((), DatabaseState.NOT_INITIALISED),
        (("b",), DatabaseState.BEHIND),
        (("e",), DatabaseState.AT_HEAD),
    ],
)
def test_the_stamps_decide_the_state(stamps: tuple[str, ...], state: DatabaseState) -> None:
    """Without a stamp nothing was ever applied; with the newest nothing is pending."""
    assert find_state(MERGED, stamps) is state


def test_a_project_without_revisions_is_at_head() -> None:
    """There is nothing to apply."""
    assert find_state(RevisionGraph({}), ()) is DatabaseState.AT_HEAD


def test_thousands_of_revisions_in_a_row_are_sorted() -> None:
    """No recursion limits the length of a history."""
    names = [f"r{number:04}" for number in range(5000)]
    below = dict(zip(names, [(), *((name,) for name in names)], strict=False))
    graph = sort_graph(RevisionGraph(dict(reversed(below.items()))))

    assert list(graph.down_revisions) == names
    assert find_pending(graph, ("r0000",)) == tuple(names[1:])


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        (RevisionGraph({"a": ("a",)}), "a → a"),
        (RevisionGraph({"a": ("b",), "b": ("a",)}), "b → a → b"),
        (RevisionGraph({"a": (), "b": ("a",)}, {"a": ("b",)}), "b → a → b"),
    ],
)
def test_a_circle_of_revisions_is_a_configuration_error(graph: RevisionGraph, circle: str) -> None:
    """The message shows the circle."""
    with pytest.raises(ConfigurationError, match=f"in a circle: {circle}$"):
        sort_graph(graph)


def test_a_revision_that_needs_a_missing_one_is_a_configuration_error() -> None:
    """Alembic cannot load such a project either."""
    with pytest.raises(ConfigurationError, match="revision b needs gone") as caught:
        sort_graph(RevisionGraph({"b": ("gone",), "c": ("b",)}))

    assert caught.value.hint == "restore the file of gone, or correct down_revision in b"
