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

ARGUMENTS = (
    "--verbose", "--no-config", "--resolver=backtracking", "--output-file", "out.txt",
)  # fmt: skip


def run_pip_compile(
    project: LockableProject, *arguments: str, program: str = ""
) -> tuple[int, str]:
    """Run the real pip-compile; returns its exit code and everything it wrote."""
    program = program + pip_api.COMPILE_PROGRAM
    process = ResolverProcess([sys.executable, "-P", "-c", program], project.root)
    return process.finish(json.dumps([*ARGUMENTS, *arguments, "pyproject.toml"]) + "\n")


def test_the_program_takes_the_arguments_of_pip_compile(project: LockableProject) -> None:
    """The function of pip-compile accepts a list of command-line arguments."""
    code, output = run_pip_compile(project.wants("click==8.0"))

    assert code == 0, output
    assert "click==8.0" in project.text("out.txt")


def test_both_sides_of_a_conflict_are_found(project: LockableProject) -> None:
    """The sides are a requirement of a package, one of the project, and a constraint."""
    project.wants("alpha==1.0", "xray>=1")
    project.write("pins.txt", "xray==2.5\n")

    code, output = run_pip_compile(project, "--constraint", "pins.txt")

    assert code != 0
    assert set(pip_api.find_conflict_sides(output)) == {
        ConflictSide("xray<2", package="alpha 1.0"),
        ConflictSide("xray>=1", is_requested=True),
        ConflictSide("xray==2.5", is_constraint=True),
    }
    assert pip_api.find_unmatched_requirement(output) is None


@pytest.mark.parametrize("wanted", ["nonesuch>=3", "nonesuch", "click==99"])
def test_an_unsatisfied_requirement_is_found(project: LockableProject, wanted: str) -> None:
    """Both a missing package and a missing version are found."""
    code, output = run_pip_compile(project.wants(wanted))

    assert code != 0
    assert pip_api.find_unmatched_requirement(output) == wanted
    assert pip_api.find_conflict_sides(output) == ()


def test_a_resolution_that_takes_too_long_is_recognised(project: LockableProject) -> None:
    """The limit, normally thousands of rounds, is one round here."""
    one_round = (
        "from pip._vendor.resolvelib import Resolver\n"
        "resolve = Resolver.resolve\n"
        "Resolver.resolve = lambda self, wanted, max_rounds: resolve(self, wanted, max_rounds=1)\n"
    )

    code, output = run_pip_compile(project.wants("web"), program=one_round)

    assert code != 0
    assert pip_api.has_too_many_versions(output)


def test_an_unreachable_index_is_recognised(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index counts as unreachable once pip logs that no retries are left."""
    _ask(monkeypatch, f"http://127.0.0.1:{free_port()}/simple")

    code, output = run_pip_compile(project.wants("click"))

    assert code != 0
    assert pip_api.has_exhausted_retries(output)


@pytest.mark.parametrize("login", ["", "larp:wrong@"], ids=["no password", "a wrong one"])
def test_a_denied_request_is_recognised(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, wheels: Path, login: str
) -> None:
    """The HTTP status comes from pip's debug log."""
    with serving(wheels, "larp:sesame") as index:
        _ask(monkeypatch, f"http://{login}127.0.0.1:{index.port}/simple")
        code, output = run_pip_compile(project.wants("click"))

    assert code != 0
    assert pip_api.find_rejection_status(output) == "401"
    assert not pip_api.has_exhausted_retries(output)


def test_a_missing_page_is_not_a_denied_request(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, wheels: Path
) -> None:
    """An index answers 404 for packages that it lacks."""
    with serving(wheels) as index:
        _ask(monkeypatch, f"http://127.0.0.1:{index.port}/simple")
        _, output = run_pip_compile(project.wants("nonesuch"))

    assert pip_api.find_rejection_status(output) is None
    assert pip_api.find_unmatched_requirement(output) == "nonesuch"


def test_a_file_with_another_hash_is_found(
    project: LockableProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name and version are those of the pin with the locked hash."""
    make_wheel(tmp_path / "wheels", "click", "8.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    project.wants("click").write("out.txt", f"click==8.0 --hash=sha256:{'0' * 64}\n")

    code, output = run_pip_compile(project, "--generate-hashes")

    assert code != 0
    assert pip_api.find_replaced_file(output) == ("click", "8.0")


def test_the_settings_of_pip_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings from a file and the environment may contain quotes and spaces."""
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
