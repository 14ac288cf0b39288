"""Contract with pip and pip-tools: larp understands what the real programs write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from larp_cli.requirements import pip_api
from larp_cli.requirements.pip_api import ConflictSide
from larp_cli.requirements.process import ResolverProcess
from tests.requirements import LockableProject, make_wheel, serving
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("resolving")

WORDS = (
    "--verbose", "--no-config", "--resolver=backtracking", "--output-file", "out.txt",
)  # fmt: skip


def compiled(project: LockableProject, *words: str, program: str = "") -> tuple[int, str]:
    """Run the real pip-compile on a project; returns its exit code and all that it wrote."""
    program = program + pip_api.COMPILE_PROGRAM
    process = ResolverProcess([sys.executable, "-P", "-c", program], project.root)
    return process.finish(json.dumps([*WORDS, *words, "pyproject.toml"]) + "\n")


def test_the_program_compiles_what_it_is_told(project: LockableProject) -> None:
    """pip-compile's function takes the words of its command line."""
    code, said = compiled(project.wants("click==8.0"))

    assert code == 0, said
    assert "click==8.0" in project.text("out.txt")


def test_both_sides_of_a_conflict_are_found(project: LockableProject) -> None:
    """A package's requirement, the project's own, and a constraint."""
    project.wants("alpha==1.0", "xray>=1")
    project.write("pins.txt", "xray==2.5\n")

    code, said = compiled(project, "--constraint", "pins.txt")

    assert code != 0
    assert set(pip_api.find_conflict_sides(said)) == {
        ConflictSide("xray<2", package="alpha 1.0"),
        ConflictSide("xray>=1", is_requested=True),
        ConflictSide("xray==2.5", is_constraint=True),
    }
    assert pip_api.find_unmatched_requirement(said) is None


@pytest.mark.parametrize("wanted", ["nonesuch>=3", "nonesuch", "click==99"])
def test_a_requirement_that_nothing_meets_is_found(project: LockableProject, wanted: str) -> None:
    """Whether the package does not exist or the version."""
    code, said = compiled(project.wants(wanted))

    assert code != 0
    assert pip_api.find_unmatched_requirement(said) == wanted
    assert pip_api.find_conflict_sides(said) == ()


def test_a_resolution_that_takes_too_long_is_recognised(project: LockableProject) -> None:
    """One round is too many here; normally it takes thousands."""
    one_round = (
        "from pip._vendor.resolvelib import Resolver\n"
        "resolve = Resolver.resolve\n"
        "Resolver.resolve = lambda self, wanted, max_rounds: resolve(self, wanted, max_rounds=1)\n"
    )

    code, said = compiled(project.wants("web"), program=one_round)

    assert code != 0
    assert pip_api.has_too_many_versions(said)


def test_an_index_that_does_not_answer_is_recognised(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last attempt, which pip announces as retry 0."""
    _ask(monkeypatch, f"http://127.0.0.1:{free_port()}/simple")

    code, said = compiled(project.wants("click"))

    assert code != 0
    assert pip_api.has_retried_in_vain(said)


@pytest.mark.parametrize("login", ["", "larp:wrong@"], ids=["no password", "a wrong one"])
def test_an_index_that_refuses_us_is_recognised(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, wheels: Path, login: str
) -> None:
    """By the HTTP status, which the program takes from pip's debug log."""
    with serving(wheels, "larp:sesame") as index:
        _ask(monkeypatch, f"http://{login}127.0.0.1:{index.port}/simple")
        code, said = compiled(project.wants("click"))

    assert code != 0
    assert pip_api.find_refusal(said) == "401"
    assert not pip_api.has_retried_in_vain(said)


def test_a_page_that_is_missing_is_no_refusal(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, wheels: Path
) -> None:
    """An index answers with 404 for what it does not have."""
    with serving(wheels) as index:
        _ask(monkeypatch, f"http://127.0.0.1:{index.port}/simple")
        _, said = compiled(project.wants("nonesuch"))

    assert pip_api.find_refusal(said) is None
    assert pip_api.find_unmatched_requirement(said) == "nonesuch"


def test_a_file_with_another_hash_is_found(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the name and version of the pin whose hash it does not have."""
    make_wheel(tmp_path / "wheels", "click", "8.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    project.wants("click").write("out.txt", f"click==8.0 --hash=sha256:{'0' * 64}\n")

    code, said = compiled(project, "--generate-hashes")

    assert code != 0
    assert pip_api.find_replaced_file(said) == ("click", "8.0")


def test_the_list_of_pip_s_settings_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file and from the environment, with quotes and spaces in the values."""
    url = "https://user:it's a \\ secret@host/simple"
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {url}\ntimeout = 60\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/one /two")

    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout

    settings = dict(pip_api.read_settings(listed))
    assert settings["global.index-url"] == url
    assert settings["global.timeout"] == "60"
    assert settings[":env:.find-links"] == "/one /two"


def _ask(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_RETRIES", "1")
