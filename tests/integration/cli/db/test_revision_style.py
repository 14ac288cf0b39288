"""What ``larp db revision`` writes passes the linters of the project that it is written for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Larp
from tests.revisions import Copy, write

LINTERS = (
    ("black", "--check", "--quiet", "--diff"),
    ("isort", "--check-only", "--diff"),
    ("flake8",),
)


@pytest.mark.parametrize("arguments", [(), ("--empty",)], ids=["from models", "empty"])
@pytest.mark.parametrize("message", ["Add players", "say \\o/ to all", "x" * 120])
def test_a_new_file_passes_the_linters(
    larp: Larp, copy: Copy, message: str, arguments: tuple[str, ...]
) -> None:
    """Also with PostgreSQL's own types, whose module has to be imported in its place."""
    path = write(larp, message, *arguments).result["path"]
    assert ("import postgresql" in Path(path).read_text()) == (not arguments)

    for linter in LINTERS:
        done = subprocess.run(
            [sys.executable, "-m", *linter, path],
            cwd=copy.directory,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
