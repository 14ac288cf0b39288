"""Contract with pydantic-settings: a source keeps every name that it has read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from larp_cli.settings import Settings
from larp_cli.settings.pydantic_settings_api import read_names


def test_the_environment_has_names_that_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come in lower case, and an empty variable counts as not set."""
    monkeypatch.setenv("DATABSE_URL", "postgresql://db/x")
    monkeypatch.setenv("SERVE_PORT", "")

    names = read_names(EnvSettingsSource(Settings))

    assert "databse_url" in names
    assert "serve_port" not in names


def test_a_dotenv_file_has_names_that_are_no_settings(tmp_path: Path) -> None:
    """Also where the source returns the values of settings alone."""
    (tmp_path / ".env").write_text("SERVE_PROT=1\nSERVE_PORT=2\n")
    source = DotEnvSettingsSource(
        Settings, env_file=tmp_path / ".env", dotenv_filtering="only_existing"
    )

    assert source() == {"serve_port": "2"}
    assert sorted(read_names(source)) == ["serve_port", "serve_prot"]
