"""Installing the main file in an empty environment, and the development file on top."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Larp
from tests.requirements import LockableProject


@pytest.mark.usefixtures("resolving")
def test_the_main_file_installs_and_dev_changes_none_of_it(
    larp: Larp, project: LockableProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With --require-hashes, pip installs main and only adds packages for dev."""
    project.wants("click", "web", dev=["click<8.2", "xray"])
    larp("requirements", "update")
    target = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", target], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(target), "install", "--quiet"]

    subprocess.run([*pip, "--require-hashes", "-r", "requirements.txt"], check=True)
    report = project.root / "report.json"
    dry = ["--dry-run", "--report", str(report), "-r", "requirements-dev.txt"]
    subprocess.run([*pip, "--require-hashes", *dry], check=True)

    installed = {path.name.split("-")[0] for path in Path(target).rglob("*.dist-info")}
    assert installed == {"click", "web", "typing_extra"}
    found = json.loads(report.read_text())["install"]
    assert [item["metadata"]["name"] for item in found] == ["xray"]
