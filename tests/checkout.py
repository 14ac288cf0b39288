"""Copies of the repository for tests that run what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import ROOT


def copy_repository(names: Iterable[str], directory: Path) -> None:
    """Copy files and directories of the repository.

    With ``__pycache__``: to compile again takes longer than most commands.
    """
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name)
        else:
            shutil.copy2(source, directory / name)
