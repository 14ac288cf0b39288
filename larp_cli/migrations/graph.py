"""The graph of revisions on disk, and where a database stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.results import DatabaseState, History, HistoryEntry, Revision

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory


def ancestors(script: ScriptDirectory, revisions: Iterable[str]) -> set[str]:
    """Collect the known ones of ``revisions`` with all that they build on."""
    known = {item.revision: item for item in script.walk_revisions()}
    reached: set[str] = set()
    todo = [revision for revision in revisions if revision in known]
    while todo:
        revision = todo.pop()
        if revision not in reached:
            reached.add(revision)
            todo.extend(known[revision]._all_down_revisions)
    return reached


def pending(script: ScriptDirectory, current: tuple[str, ...]) -> tuple[Revision, ...]:
    """List what the database does not have, in the order in which it would be applied.

    Nothing where a stamp is unknown: which of ours that revision builds on is not known here.
    """
    if unknown(script, current):
        return ()
    applied = ancestors(script, current)
    oldest_first = reversed(list(script.walk_revisions()))
    return tuple(revision_of(item) for item in oldest_first if item.revision not in applied)


def unknown(script: ScriptDirectory, current: Iterable[str]) -> tuple[str, ...]:
    """List the stamped revisions that are not on disk."""
    known = {item.revision for item in script.walk_revisions()}
    return tuple(sorted(revision for revision in current if revision not in known))


def state_of(script: ScriptDirectory, current: tuple[str, ...]) -> DatabaseState:
    """Compare the revisions with which a database is stamped with those on disk."""
    if unknown(script, current):
        return DatabaseState.AHEAD
    if not pending(script, current):
        return DatabaseState.AT_HEAD
    return DatabaseState.BEHIND if current else DatabaseState.NOT_INITIALISED


def list_revisions(script: ScriptDirectory, current: tuple[str, ...]) -> History:
    """List the revisions on disk, newest first."""
    applied = ancestors(script, current)
    others = None if unknown(script, current) else False
    heads = set(script.get_heads())
    return History(
        current=current,
        revisions=tuple(
            HistoryEntry(
                revision=item.revision,
                down_revisions=_down_revisions(item),
                description=item.doc,
                applied=True if item.revision in applied else others,
                head=item.revision in heads,
                created=_created(item),
            )
            for item in script.walk_revisions()
        ),
    )


def revision_of(item: Script) -> Revision:
    """State the facts of one revision file."""
    return Revision(
        revision=item.revision,
        down_revisions=_down_revisions(item),
        description=item.doc,
        path=Path(item.path),
    )


def _created(item: Script) -> datetime | None:
    """Read when the file was made, from the docstring that Alembic's template writes."""
    written = re.search(r"^Create Date: (.+)$", item.module.__doc__ or "", re.MULTILINE)
    try:
        return datetime.fromisoformat(written[1].strip()) if written else None
    except ValueError:
        return None


def _down_revisions(item: Script) -> tuple[str, ...]:
    below = item.down_revision
    if below is None:
        return ()
    return (below,) if isinstance(below, str) else tuple(below)
