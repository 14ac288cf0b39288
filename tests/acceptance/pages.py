"""The pages of the documentation, and what is in them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

GENERATED = sorted((ROOT / "docs").glob("*.md"))
PAGES = [
    *GENERATED,
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
]

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def of_page(path: Path) -> str:
    """Name a page in a test's id."""
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> list[str]:
    """List the fenced blocks in the languages."""
    return [body for language, body in FENCE.findall(text) if language in languages]
