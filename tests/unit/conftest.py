"""An environment without settings of anybody's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from larp_cli.settings import Settings


@pytest.fixture
def only_our_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings and files of whoever runs the tests out of them."""
    ours = {*Settings.model_fields, "pgpassword"}
    for name in [name for name in os.environ if name.lower() in ours]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
