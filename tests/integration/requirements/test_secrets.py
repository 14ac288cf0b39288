"""Indexes and passwords from pip's configuration appear nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.requirements import Index, LockableProject, serving

USER, PASSWORD, QUOTED = "robot-user", "sesa/me word", "sesa%2Fme%20word"
TRACES = (USER, PASSWORD, QUOTED, "sesa", "packages.invalid", "second.invalid", "127.0.0.1")
OPEN = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1"}


@pytest.fixture
def index(wheels: Path) -> Iterator[Index]:
    """An index that requires the user and the password."""
    with serving(wheels, f"{USER}:{PASSWORD}") as running:
        yield running


def assert_no_trace(outcome: Outcome, *directories: Path) -> None:
    """Search the output and the files in the directories."""
    texts = {"stdout": outcome.stdout, "stderr": outcome.stderr}
    for directory in directories:
        found = (path for path in directory.rglob("*") if path.is_file())
        texts |= {str(path): path.read_text() for path in found}
    for where, text in texts.items():
        for trace in TRACES:
            assert trace not in text, f"{trace} in {where}"


@pytest.mark.parametrize("through", ["PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
@pytest.mark.usefixtures("resolving")
def test_an_index_with_a_password_works_and_leaves_no_trace(
    larp: Larp,
    project: LockableProject,
    larp_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    index: Index,
    through: str,
) -> None:
    """The packages come from the index, but no file or log names it, even with --debug."""
    url = f"http://{USER}:{QUOTED}@127.0.0.1:{index.port}/simple"
    value = url
    if through == "PIP_CONFIG_FILE":
        config = tmp_path_factory.mktemp("pip") / "pip.conf"
        config.write_text(f"[global]\nindex-url = {url}\nextra-index-url = {url}/a\n    {url}/b\n")
        value = str(config)
    more = {"PIP_INDEX_URL": url} if through == "PIP_EXTRA_INDEX_URL" else {}
    project.wants("click", dev=["web"])

    outcome = larp(
        "requirements", "update", "--debug", "--json", env={**OPEN, **more, through: value}
    )

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "click==8.3 " in project.main
    assert "Looking in indexes" in outcome.stderr
    assert_no_trace(outcome, project.root, larp_home)


@pytest.mark.usefixtures("resolving")
def test_a_wrong_password_leaves_no_trace(
    larp: Larp, project: LockableProject, index: Index
) -> None:
    """The error reports the rejection without the password, and pip does not prompt."""
    project.wants("click")
    wrong = f"http://{USER}:{QUOTED}x@127.0.0.1:{index.port}/simple"

    outcome = larp("requirements", "update", "--debug", env={**OPEN, "PIP_INDEX_URL": wrong})

    assert outcome.exit_code == ExitCode.FAILURE
    assert "the package index rejected the request (401)" in outcome.stderr
    assert_no_trace(outcome, project.root)


@pytest.mark.usefixtures("resolving")
def test_an_unreachable_index_leaves_no_trace(
    larp: Larp, project: LockableProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With several unreachable indexes, the error names none of them."""
    config = tmp_path_factory.mktemp("pip") / "pip.conf"
    first = f"https://{USER}:{QUOTED}@packages.invalid/simple"
    config.write_text(
        f"[global]\nindex-url = {first}\ntrusted-host = packages.invalid\n"
        f"extra-index-url = {first}\n    https://{USER}:{QUOTED}@second.invalid/x\n"
    )
    project.wants("click")

    outcome = larp(
        "requirements",
        "update",
        "--debug",
        "--json",
        env={**OPEN, "PIP_RETRIES": "1", "PIP_CONFIG_FILE": str(config)},
    )

    assert outcome.exit_code == ExitCode.FAILURE
    assert "the package index cannot be reached" in outcome.document["error"]["message"]
    assert_no_trace(outcome, project.root)


@pytest.mark.usefixtures("resolving")
def test_an_invalid_pip_configuration_leaves_no_trace(
    larp: Larp, project: LockableProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """If pip cannot read its configuration, larp does not repeat pip's message about it."""
    config = tmp_path_factory.mktemp("pip") / "pip.conf"
    config.write_text(f"index-url = https://{USER}:{QUOTED}@packages.invalid/simple\n")
    project.wants("click")

    outcome = larp("requirements", "update", "--debug", env={"PIP_CONFIG_FILE": str(config)})

    assert outcome.exit_code == ExitCode.FAILURE
    assert_no_trace(outcome, project.root)
