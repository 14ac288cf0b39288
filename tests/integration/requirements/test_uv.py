"""``larp requirements update --backend uv``, where uv is installed."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.requirements import LockableProject

pytestmark = pytest.mark.usefixtures("resolving")

UV = shutil.which("uv")


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_uv_holds_to_the_same(larp: Larp, project: LockableProject) -> None:
    """The other backend gives equal pins, hashes, and no trace of this machine."""
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


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_uv_tells_conflicts_too(larp: Larp, project: LockableProject) -> None:
    """What uv says of a conflict becomes the message, and of a missing package as well."""
    project.wants("alpha==1.0", dev=["beta"])
    conflict = larp("requirements", "update", "--backend", "uv")
    project.wants("nonesuch")
    missing = larp("requirements", "update", "--backend", "uv")

    assert conflict.exit_code == missing.exit_code == ExitCode.FAILURE
    assert "xray<2" in conflict.stderr
    assert "the index has no nonesuch" in missing.stderr


def test_a_backend_that_is_not_there_is_named(larp: Larp, project: LockableProject) -> None:
    """Without uv the error says how to get it."""
    if os.path.exists(os.path.join(os.path.dirname(sys.executable), "uv")):
        pytest.skip("uv is installed")
    project.wants("click")

    outcome = larp("requirements", "update", "--backend", "uv", env={"PATH": "/nowhere"})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "hint: pip install uv" in outcome.stderr
    assert project.names() == {"pyproject.toml"}
