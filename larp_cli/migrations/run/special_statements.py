"""Recognise the statements of revisions that the session has to treat specially.

The session sees every statement. Most hold none of the words that matter, and are not
parsed. What PostgreSQL's parser cannot read, or sees as a string, is taken for whatever its
words allow, as long as that only costs a round trip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from larp_cli.postgres.sql.effects import Detachment, Effects, IndexBuild

OUR_SETTINGS = frozenset({"lock_timeout", "statement_timeout", "synchronous_commit"})
"""What the session sets for each revision."""
ROLE = "role"
CONCURRENTLY = "concurrently"
WORDS = (
    *(CONCURRENTLY, *OUR_SETTINGS, ROLE),
    # These set what they do not name, or name it as a value.
    *("set_config", "pg_settings", "reset", "discard"),
    "u&",  # Unicode escapes may hide any other word.
)
LONGEST_PARSED = 100_000
"""Characters. A longer statement is data: guessing costs less than parsing it."""

_SETS_ROLE = re.compile(r"\bset\b[^;]{0,200}\brole\b")
"""In text that cannot be parsed; in lower case."""


class WaitKind(Enum):
    """Which timeouts a statement needs that runs outside of a transaction."""

    ORDINARY = auto()
    BLOCKS_NOBODY = auto()
    """It waits for others without blocking anyone: only its own, long timeout ends it."""
    MAY_BLOCK = auto()
    """It takes long, but may block the application while it waits for a lock."""


@dataclass(frozen=True, slots=True)
class Special:
    """What the session has to do for a statement."""

    wait: WaitKind = WaitKind.ORDINARY
    builds: IndexBuild | None = None
    """The index that it creates concurrently."""
    detaches: Detachment | None = None
    changes_settings: bool = False
    """It may change what the session sets for each revision."""
    changes_role: bool = False
    """It may change the role that the session acts as."""


ORDINARY = Special()


def recognise(query: str) -> Special:
    """Tell what is special about a statement, as SQLAlchemy hands it to psycopg."""
    lowered = query.lower()
    words = {word for word in WORDS if word in lowered}
    if not words:
        return ORDINARY
    if len(query) > LONGEST_PARSED:
        return _guess(lowered, words)
    return _parse(query, lowered, words)


def _parse(query: str, lowered: str, words: set[str]) -> Special:
    from larp_cli.postgres.sql.effects import ANY_SETTING, find_effects
    from larp_cli.postgres.sql.statements import read_statements, replace_placeholders

    effects = [find_effects(item) for item in read_statements(replace_placeholders(query))]
    known = [item for item in effects if item is not None]
    if len(known) < len(effects):
        wait = WaitKind.MAY_BLOCK if CONCURRENTLY in words else WaitKind.ORDINARY
        return replace(_guess(lowered, words), wait=wait)
    if any(item.carries_code for item in known):
        return _guess(lowered, words)
    settings = frozenset[str]().union(*(item.settings for item in known))
    # PostgreSQL refuses CONCURRENTLY among other statements.
    alone = known[0] if len(known) == 1 else None
    return Special(
        wait=_choose_wait(alone),
        builds=alone.builds if alone and alone.concurrent_index else None,
        detaches=alone.detaches if alone else None,
        changes_settings=not settings.isdisjoint({*OUR_SETTINGS, ANY_SETTING}),
        changes_role=not settings.isdisjoint({ROLE, ANY_SETTING}),
    )


def _choose_wait(effects: Effects | None) -> WaitKind:
    if effects is not None and effects.concurrent_index:
        return WaitKind.BLOCKS_NOBODY
    # In the end it locks the partition as any other DDL does: the application would wait.
    return WaitKind.MAY_BLOCK if effects is not None and effects.detaches else WaitKind.ORDINARY


def _guess(lowered: str, words: set[str]) -> Special:
    """Take settings and role for changed as far as the words allow it."""
    hidden = not words.isdisjoint({"u&", "set_config", "pg_settings", "discard"})
    return Special(
        changes_settings=hidden or "reset" in words or not words.isdisjoint(OUR_SETTINGS),
        changes_role=hidden or _SETS_ROLE.search(lowered) is not None,
    )
