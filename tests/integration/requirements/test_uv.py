"""``larp requirements update --backend uv``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.requirements import LockableProject

pytestmark = pytest.mark.usefixtures("resolving")


def test_uv_keeps_the_same_rules(larp: Larp, project: LockableProject) -> None:
    """The files have equal pins with hashes, and no path of this machine."""
    project.wants("click", dev=["click<8.2", "web"])

    outcome = larp("requirements", "update", "--backend", "uv")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "click==8.1 " in project.main
    assert "click==8.1 " in project.dev
    assert "#    larp requirements update\n" in project.main
    assert "/" not in project.main + project.dev
    assert larp("requirements", "check").exit_code == ExitCode.OK
    again = larp("requirements", "update", "--backend", "uv", "--json")
    assert again.document["changed"] is False


def test_conflicts_from_uv_are_explained(larp: Larp, project: LockableProject) -> None:
    """The error repeats what uv says about a conflict or a missing package."""
    project.wants("alpha==1.0", dev=["beta"])
    conflict = larp("requirements", "update", "--backend", "uv")
    project.wants("nonesuch")
    missing = larp("requirements", "update", "--backend", "uv")

    assert conflict.exit_code == missing.exit_code == ExitCode.FAILURE
    assert "xray<2" in conflict.stderr
    assert "the index has no nonesuch" in missing.stderr


def test_a_missing_backend_is_reported(
    larp: Larp, project: LockableProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without uv, the hint says how to install it."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    project.wants("click")

    outcome = larp("requirements", "update", "--backend", "uv", env={"PATH": "/nowhere"})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "hint: pip install uv" in outcome.stderr
    assert project.names() == {"bin", "pyproject.toml"}
