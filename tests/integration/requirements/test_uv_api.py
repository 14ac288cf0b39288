"""Contract with uv: larp understands what the real program writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from larp_cli.requirements import uv_api
from tests.requirements import LockableProject, serving
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("resolving")


def compile_with_uv(project: LockableProject) -> str:
    """Run the real uv on a project that it cannot resolve; returns everything it wrote."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--no-config",
            "--no-progress", "--output-file", "out.txt", "pyproject.toml",
        ],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stdout


def test_the_sentence_about_a_conflict_is_found(project: LockableProject) -> None:
    """The sentence names the requirements, on one line."""
    output = compile_with_uv(project.wants("alpha==1.0", "beta"))

    sentence = uv_api.find_conflict_sentence(output)
    assert sentence is not None
    assert "xray<2" in sentence
    assert "\n" not in sentence
    assert uv_api.find_unknown_package(output) is None


@pytest.mark.parametrize("wanted", ["nonesuch", "click==99"])
def test_a_missing_package_or_version_is_found(project: LockableProject, wanted: str) -> None:
    """Both a missing package and a missing version are found."""
    assert uv_api.find_unknown_package(compile_with_uv(project.wants(wanted))) == wanted


def test_an_unreachable_index_is_recognised(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreachable index is not reported as a missing package."""
    _ask(monkeypatch, f"http://127.0.0.1:{free_port()}/simple")

    output = compile_with_uv(project.wants("click"))

    assert uv_api.has_failed_to_fetch(output)
    assert uv_api.find_unknown_package(output) is None


def test_a_denied_request_is_recognised(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, wheels: Path
) -> None:
    """The status is in a hint below the sentence that the package is missing."""
    with serving(wheels, "larp:sesame") as index:
        _ask(monkeypatch, f"http://127.0.0.1:{index.port}/simple")
        output = compile_with_uv(project.wants("click"))

    assert uv_api.find_denied_status(output) == "401"


def _ask(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_INDEX_URL", url)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
