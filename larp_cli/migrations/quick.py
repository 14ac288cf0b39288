"""The heads on disk, read without Alembic.

Importing Alembic and SQLAlchemy takes longer than all the rest of a migration that has
nothing to do, and that is what a container does at almost every start. A revision file
says which revision it is in assignments of literals; where one does not, the answer is
left to Alembic.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ASSIGNMENT = re.compile(r"^(revision|down_revision)\b[^=\n]*=[ \t]*(.*)$", re.MULTILINE)


def heads_on_disk(versions: Path) -> frozenset[str] | None:
    """Read the heads of the revision files in a directory; None where Alembic must be asked.

    A head is a revision on which no other builds.
    """
    revisions: set[str] = set()
    below: set[str] = set()
    try:
        for path in versions.glob("*.py"):
            values = dict(_assignments(path.read_text(encoding="utf-8")))
            revisions.add(values["revision"])
            down = values["down_revision"]
            below.update((down,) if isinstance(down, str) else down or ())
    except (OSError, KeyError, TypeError, ValueError, SyntaxError):
        return None
    return frozenset(revisions - below)


def _assignments(text: str) -> Iterator[tuple[str, Any]]:
    for name, literal in _ASSIGNMENT.findall(text):
        yield name, ast.literal_eval(literal)
