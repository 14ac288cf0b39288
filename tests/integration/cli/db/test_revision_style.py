"""What ``larp db revision`` writes passes the linters of the project that it is written for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Larp
from tests.processes import PATIENCE
from tests.revisions import Copy, write

LINTERS = (
    ("black", "--check", "--quiet", "--diff"),
    ("isort", "--check-only", "--diff"),
    ("flake8",),
)


@pytest.mark.parametrize("arguments", [(), ("--empty",)], ids=["from models", "empty"])
def test_a_new_file_passes_the_linters(larp: Larp, copy: Copy, arguments: tuple[str, ...]) -> None:
    """Also with PostgreSQL's own types, whose module has to be imported in its place."""
    paths = []
    for message in ("Add players", "say \\o/ to all", "x" * 120):
        path = Path(write(larp, message, *arguments).result["path"])
        assert ("import postgresql" in path.read_text()) == (not arguments)
        paths.append(path)
        path.rename(path.with_suffix(".txt"))  # the next one is written in its place

    for path in paths:
        path.with_suffix(".txt").rename(path)
    for linter in LINTERS:
        done = subprocess.run(
            [sys.executable, "-m", *linter, *paths],
            cwd=copy.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
