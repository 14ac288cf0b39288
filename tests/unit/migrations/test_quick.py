"""Heads and scripts, read without Alembic; None where it has to be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.migrations.quick import graph_on_disk, heads_of, script_directory

CHAIN = {
    "a.py": 'revision = "a"\ndown_revision = None\n',
    "b.py": "revision: str = 'b'  # second\ndown_revision: str | None = 'a'\n",
    "c.py": 'revision = "c"\ndown_revision = ("a", "b")\n',
}


def write(directory: Path, files: dict[str, str]) -> Path:
    """Write files into a directory."""
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def heads_on_disk(directory: Path) -> frozenset[str] | None:
    """Read the heads, where the graph can be read."""
    graph = graph_on_disk(directory)
    return None if graph is None else heads_of(graph)


def test_a_head_is_what_no_other_builds_on(tmp_path: Path) -> None:
    """Merges name several; annotations, comments and both quotes are read."""
    assert heads_on_disk(write(tmp_path, CHAIN)) == {"c"}
    (tmp_path / "d.py").write_text('revision = "d"\ndown_revision = "a"\n')
    assert heads_on_disk(tmp_path) == {"c", "d"}


def test_files_that_alembic_passes_over_are_passed_over(tmp_path: Path) -> None:
    """A package file and an editor's lock are no revisions."""
    write(tmp_path, {**CHAIN, "__init__.py": "", ".#d.py": "", "README": "no Python"})

    assert heads_on_disk(tmp_path) == {"c"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        'revision = "d"\n',
        'revision = make()\ndown_revision = "c"\n',
        'revision = "d"\ndown_revision = (\n    "c",\n)\n',
        'revision = "d"\ndown_revision = "c"\ndepends_on = "a"\n',
        'revision = "a" "b"; x = 1\ndown_revision = "c"\n',
    ],
)
def test_a_file_that_is_not_plain_is_left_to_alembic(tmp_path: Path, text: str) -> None:
    """One doubtful file makes the whole answer doubtful."""
    assert heads_on_disk(write(tmp_path, {**CHAIN, "d.py": text})) is None


def test_the_script_directory_is_read_from_the_configuration(tmp_path: Path) -> None:
    """``%(here)s`` is the directory of the file, as for Alembic."""
    (tmp_path / "scripts").mkdir()
    ini = tmp_path / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/scripts\n")

    assert script_directory(ini) == tmp_path / "scripts"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[alembic]\n",
        "[alembic]\nscript_location = shop:migrations\n",
        "[alembic]\nscript_location = %(nowhere)s/scripts\n",
        "[alembic]\nscript_location = %(here)s/scripts\nversion_locations = %(here)s/a\n",
        "[alembic]\nscript_location = %(here)s/scripts\nsourceless = true\n",
    ],
)
def test_a_configuration_that_says_more_is_left_to_alembic(tmp_path: Path, text: str) -> None:
    """Packages, several directories and compiled revisions are Alembic's to find."""
    (tmp_path / "scripts").mkdir()
    ini = tmp_path / "alembic.ini"
    ini.write_text(text)

    assert script_directory(ini) is None
