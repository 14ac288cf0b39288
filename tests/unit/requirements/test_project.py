"""Reading ``pyproject.toml``, and rejecting invalid ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.errors import ConfigurationError
from larp_cli.requirements.project import read_project
from tests.requirements import LockableProject


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project", "not valid TOML"),
        ("x = 1", "there is no [project] table"),
        ("project = 1", "there is no [project] table"),
        ("[project]\nversion = '1'", "[project] has no name"),
        ("[project]\nname = 'x'\ndependencies = 'click'", "project.dependencies is not a list"),
        ("[project]\nname = 'x'\ndependencies = [1]", "project.dependencies is not a list"),
        ("[project]\nname = 'x'\ndependencies = ['click >= ']", "'click >= ' is not a requirement"),
        ("[project]\nname = 'x'\noptional-dependencies = []", "is not a table"),
        ("[project]\nname = 'x'\nrequires-python = 3", "is not a string"),
        ("[project]\nname = 'x'\ndynamic = 'version'", "project.dynamic is not a list"),
        ("[project]\nname = 'x'\noptional-dependencies.dev = 'y'", "dev is not a list"),
        ("[project]\nname = 'x'\ndependencies = ['x[web]']", "names no extra of this project"),
    ],
)
def test_an_invalid_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    """Every fault has a message and a hint."""
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        read_project(tmp_path)

    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("main = 'x.txt'", "main takes file and extras"),
        ("main = { fil = 'x.txt' }", "main takes file and extras"),
        ("mian = { file = 'x.txt' }", "takes main and dev"),
        ("main = { file = 3 }", "not a file name"),
        ("main = { file = '' }", "not a file name"),
        ("main = { file = '/etc/passwd' }", "outside of the project"),
        ("main = { file = 'a/../../x.txt' }", "outside of the project"),
        ("main = { file = 'pyproject.toml' }", "must be two different files"),
        ("main = { file = './requirements-dev.txt' }", "must be two different files"),
        ("main = { extras = 'dev' }", "extras is not a list"),
        ("main = { extras = ['serve'] }", "the extra 'serve', which is not in"),
    ],
)
def test_an_invalid_table_is_explained(tmp_path: Path, table: str, message: str) -> None:
    """A typo in [tool.larp.requirements] is an error."""
    project = LockableProject(tmp_path).wants(more=f"[tool.larp.requirements]\n{table}")

    with pytest.raises(ConfigurationError) as caught:
        read_project(project.root)

    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("more", ["[tool]\nlarp = 1", "[tool.larp]\nrequirements = []"])
def test_a_value_in_place_of_a_table_is_rejected(tmp_path: Path, more: str) -> None:
    """The error is a configuration error, not a crash."""
    with pytest.raises(ConfigurationError):
        read_project(LockableProject(tmp_path).wants(more=more).root)


def test_two_paths_to_one_file_are_rejected(tmp_path: Path) -> None:
    """If one lock file links to the other, writing one would overwrite the other."""
    project = LockableProject(tmp_path).wants()
    (tmp_path / "requirements.txt").symlink_to("requirements-dev.txt")

    with pytest.raises(ConfigurationError, match="must be two different files"):
        read_project(project.root)


def test_a_directory_without_a_project_is_rejected(tmp_path: Path) -> None:
    """The hint names --project; a path to a file is an error too."""
    with pytest.raises(ConfigurationError) as caught:
        read_project(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_project(Path(__file__))

    assert "--project" in (caught.value.hint or "")


def test_extras_may_refer_to_extras_in_circles(tmp_path: Path) -> None:
    """Each extra is followed once, however its name is spelled."""
    extras = {"one": ["demo[Two_2]", "a"], "two-2": ["demo[one]", "b"]}
    LockableProject(tmp_path).wants("c", dev=["Demo[one]"], extras=extras)

    project = read_project(tmp_path)

    assert sorted(item.name for item in project.dev.wanted) == ["a", "b", "c"]
    assert [item.name for item in project.main.wanted] == ["c"]


def test_dev_includes_the_extras_of_main(tmp_path: Path) -> None:
    """The development file includes the extras of the main file without listing them."""
    more = "[tool.larp.requirements]\nmain = { extras = ['Serve'] }"
    LockableProject(tmp_path).wants(dev=["d"], extras={"serve": ["s"]}, more=more)

    project = read_project(tmp_path)

    assert project.main.extras == ("serve",)
    assert project.dev.extras == ("dev", "serve")
