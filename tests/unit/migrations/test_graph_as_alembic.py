"""Our answers about a graph of revisions are Alembic's own answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from larp_cli.migrations.graph import (
    RevisionGraph,
    find_ancestors,
    find_effective_heads,
    find_heads,
    find_pending,
)
from larp_cli.migrations.revision_reader import read_graph
from larp_cli.migrations.revisions import load_graph

FILE = """
revision = {revision!r}
down_revision = {down_revision!r}
branch_labels = {label!r}
depends_on = {depends_on!r}


def upgrade():
    pass


def downgrade():
    pass
"""


def write_project(directory: Path, chance: random.Random) -> ScriptDirectory:
    """Write revisions that follow, merge and depend on each other at random."""
    versions = directory / "versions"
    versions.mkdir()
    names: list[str] = []
    for _ in range(chance.randint(1, 12)):
        name = f"{chance.getrandbits(48):012x}"
        below = chance.sample(names, min(len(names), chance.choice((0, 1, 1, 1, 1, 2, 3))))
        others = [item for item in names if item not in below]
        needed = chance.sample(others, min(len(others), chance.choice((0, 0, 0, 1, 2))))
        label = f"label_{name}" if not below and chance.random() < 0.5 else None
        text = FILE.format(
            revision=name,
            down_revision=below[0] if len(below) == 1 else tuple(below) or None,
            label=label,
            depends_on=tuple(_by_label(item, versions) for item in needed) or None,
        )
        (versions / f"{name}.py").write_text(text)
        names.append(name)
    return ScriptDirectory(directory)


def _by_label(revision: str, versions: Path) -> str:
    """Name a revision by its label, if it has one."""
    label = f"label_{revision}"
    return label if label in (versions / f"{revision}.py").read_text() else revision


@pytest.mark.parametrize("seed", range(60))
def test_our_answers_are_those_of_alembic(tmp_path: Path, seed: int) -> None:
    """Heads, what a stamp includes, and what is pending, for any graph and any stamps."""
    chance = random.Random(seed)
    script = write_project(tmp_path, chance)
    graph = read_graph(tmp_path / "versions")

    assert graph is not None
    assert parents_of(graph) == parents_of(load_graph(script))
    assert find_heads(graph) == tuple(sorted(script.get_heads()))
    assert find_effective_heads(graph) == {item.revision for item in script.get_revisions("heads")}
    for stamps in possible_stamps(graph, chance):
        upgrade = script.iterate_revisions("heads", stamps, implicit_base=True)
        included = script.iterate_revisions(stamps, "base")
        pending = find_pending(graph, stamps)
        assert set(pending) == {item.revision for item in upgrade}
        assert find_ancestors(graph, stamps) == {item.revision for item in included}
        require_order(graph, stamps, pending)


def parents_of(graph: RevisionGraph) -> dict[str, set[str]]:
    """Collect what each revision needs, in no order."""
    return {revision: set(graph.parents(revision)) for revision in graph.down_revisions}


def possible_stamps(graph: RevisionGraph, chance: random.Random) -> Iterator[tuple[str, ...]]:
    """Choose stamps none of which includes another, as a version table has them."""
    yield ()
    names = list(graph.down_revisions)
    for _ in range(10):
        chosen = chance.sample(names, chance.randint(1, min(4, len(names))))
        others = {name: find_ancestors(graph, set(chosen) - {name}) for name in chosen}
        yield tuple(name for name in chosen if name not in others[name])


def require_order(graph: RevisionGraph, stamps: tuple[str, ...], pending: tuple[str, ...]) -> None:
    """Check that each pending revision can be applied when its turn comes."""
    applied = find_ancestors(graph, stamps)
    for revision in pending:
        assert applied.issuperset(graph.parents(revision))
        applied.add(revision)
