"""What is read of ``pyproject.toml``, and what is refused."""

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
        ("[project]\nname = 'x'\noptional-dependencies = []", "not as PEP 621"),
        ("[project]\nname = 'x'\nrequires-python = 3", "not as PEP 621"),
        ("[project]\nname = 'x'\ndynamic = 'version'", "project.dynamic is not a list"),
        ("[project]\nname = 'x'\noptional-dependencies.dev = 'y'", "dev is not a list"),
        ("[project]\nname = 'x'\ndependencies = ['x[web]']", "names no extra of this project"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    """Every fault ends in a sentence and a hint."""
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(ConfigurationError) as told:
        read_project(tmp_path)

    assert message in told.value.message
    assert told.value.hint


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("main = 'x.txt'", "main takes file and extras"),
        ("main = { fil = 'x.txt' }", "main takes file and extras"),
        ("mian = { file = 'x.txt' }", "takes main and dev"),
        ("main = { file = 3 }", "not a file name"),
        ("main = { file = '' }", "not a file name"),
        ("main = { file = '/etc/passwd' }", "not below the project"),
        ("main = { file = 'a/../../x.txt' }", "not below the project"),
        ("main = { file = 'pyproject.toml' }", "must be two different files"),
        ("main = { file = './requirements-dev.txt' }", "must be two different files"),
        ("main = { extras = 'dev' }", "extras is not a list"),
        ("main = { extras = ['serve'] }", "the extra 'serve', which is not in"),
    ],
)
def test_a_wrong_choice_of_files_is_told(tmp_path: Path, table: str, message: str) -> None:
    """A slip in [tool.larp.requirements] is not passed over."""
    project = LockableProject(tmp_path).wants(more=f"[tool.larp.requirements]\n{table}")

    with pytest.raises(ConfigurationError) as told:
        read_project(project.root)

    assert message in told.value.message
    assert told.value.hint


@pytest.mark.parametrize("more", ["[tool]\nlarp = 1", "[tool.larp]\nrequirements = []"])
def test_a_table_that_is_none_is_told(tmp_path: Path, more: str) -> None:
    """It is a fault of the file, not a bug of larp."""
    with pytest.raises(ConfigurationError):
        read_project(LockableProject(tmp_path).wants(more=more).root)


def test_two_names_of_one_file_are_refused(tmp_path: Path) -> None:
    """A link from one lock file to the other would let one overwrite the other."""
    project = LockableProject(tmp_path).wants()
    (tmp_path / "requirements.txt").symlink_to("requirements-dev.txt")

    with pytest.raises(ConfigurationError, match="must be two different files"):
        read_project(project.root)


def test_a_directory_without_a_project_is_told(tmp_path: Path) -> None:
    """The hint names the option for another one; a file in its place is told too."""
    with pytest.raises(ConfigurationError) as told:
        read_project(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_project(Path(__file__))

    assert "--project" in (told.value.hint or "")


def test_extras_may_refer_to_extras_in_circles(tmp_path: Path) -> None:
    """Each is followed once, under any spelling of its name."""
    extras = {"one": ["demo[Two_2]", "a"], "two-2": ["demo[one]", "b"]}
    LockableProject(tmp_path).wants("c", dev=["Demo[one]"], extras=extras)

    project = read_project(tmp_path)

    assert sorted(item.name for item in project.dev.wanted) == ["a", "b", "c"]
    assert [item.name for item in project.main.wanted] == ["c"]


def test_dev_has_what_main_has(tmp_path: Path) -> None:
    """Extras of the main file are in the one for development without being named again."""
    more = "[tool.larp.requirements]\nmain = { extras = ['Serve'] }"
    LockableProject(tmp_path).wants(dev=["d"], extras={"serve": ["s"]}, more=more)

    project = read_project(tmp_path)

    assert project.main.extras == ("serve",)
    assert project.dev.extras == ("dev", "serve")
