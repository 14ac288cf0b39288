"""Restoring the file schema.dump, and dumps that larp did not write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from larp_cli.postgres.embedded import installation
from larp_cli.postgres.url import normalise_url
from tests.conftest import Outcome
from tests.databases import name_of


def pg_dump(url: str, path: Path, *arguments: str) -> Path:
    """Dump a database without larp."""
    subprocess.run(
        [installation() / "pg_dump", "--format=custom", f"--file={path}", *arguments],
        env=os.environ | normalise_url(url).environment(),
        check=True,
    )
    return path


def confirmed(url: str, *arguments: str) -> tuple[str, ...]:
    """Write the command line that restores schema.dump without a question or a backup."""
    return (
        *("db", "restore", "schema.dump", "--json", "--no-backup"),
        *("--confirm", name_of(url), *arguments),
    )


def hint_of(outcome: Outcome) -> str:
    """Read the hint of an error."""
    hint: str = outcome.document["error"]["hint"]
    return hint
