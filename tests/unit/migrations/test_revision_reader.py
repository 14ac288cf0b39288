"""Revision files and ``alembic.ini``, read without Alembic; None where it has to be asked."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from larp_cli.migrations.graph import RevisionGraph
from larp_cli.migrations.revision_reader import parse_script_directory, read_graph

CHAIN = {
    "a.py": 'revision = "a"\ndown_revision = None\n',
    "b.py": "revision: str = 'b'  # second\ndown_revision: str | None = 'a'\n",
    "c.py": 'revision = "c"\ndown_revision = ("a", "b")\n',
}


def write(directory: Path, files: dict[str, str]) -> Path:
    """Write files into a directory."""
    for name, text in files.items():
        (directory / name).write_text(textwrap.dedent(text))
    return directory


def test_the_graph_is_what_the_files_assign(tmp_path: Path) -> None:
    """Merges name several; annotations, comments and both kinds of quotes are read."""
    graph = read_graph(write(tmp_path, CHAIN))

    assert graph == RevisionGraph({"a": (), "b": ("a",), "c": ("a", "b")})


def test_files_that_alembic_passes_over_are_passed_over(tmp_path: Path) -> None:
    """A package file, an editor's lock and a directory are not revisions."""
    write(tmp_path, {**CHAIN, "__init__.py": "", ".#d.py": "", "README": "no Python"})
    (tmp_path / "old.py").mkdir()
    graph = read_graph(tmp_path)

    assert graph is not None
    assert set(graph.down_revisions) == {"a", "b", "c"}


def test_a_missing_directory_is_left_to_alembic(tmp_path: Path) -> None:
    """It is not a project without revisions."""
    assert read_graph(tmp_path / "versions") is None


@pytest.mark.parametrize(
    "text",
    [
        'revision = "d"; down_revision = "c"\n',
        'revision, down_revision = "d", "c"\n',
        '(revision, (down_revision, other)) = ("d", ("c", 1))\n',
        'name = revision = "d"\ndown_revision = "c"\n',
        'revision = "x"\nrevision = "d"\ndown_revision = "c"\n',
        'revision = "d"\ndown_revision = (\n    "c",\n)\n',
        'revision = ("d")\ndown_revision = ["c"]\n',
        'revision: str\nrevision = "d"\ndown_revision = "c"\n',
        'revision = "d"\r\ndown_revision = "c"\r\ndef upgrade():\r\n    pass\r\n',
        '\ufeffrevision = "d"\ndown_revision = "c"\n',
    ],
)
def test_any_plain_assignment_is_read(tmp_path: Path, text: str) -> None:
    """On one line or several, with targets in a tuple, the last one counting."""
    write(tmp_path, CHAIN)
    (tmp_path / "d.py").write_bytes(text.encode())
    graph = read_graph(tmp_path)

    assert graph is not None
    assert graph.down_revisions["d"] == ("c",)


@pytest.mark.parametrize(
    "text",
    [
        '''
        revision = "d"
        down_revision = "c"
        def upgrade():
            op.execute("""
        revision = 2
        """)
        ''',
        '''
        """Explain.

        revision = "x"
        """
        revision = "d"
        down_revision = "c"
        ''',
        '''
        SQL = """
        def f() -> None:
        down_revision = "x"
        """
        revision = "d"
        down_revision = "c"
        ''',
        '''
        revision = "d"
        down_revision = "c"
        SQL = """
        def f() -> None:
        """
        ''',
        """
        def upgrade():
            revision = "x"
        revision = "d"
        down_revision = "c"
        """,
        """
        revision = "d"
        down_revision = "c"
        class Log:
            revision = "x"
        table = column("revision")
        op.f(revision=down_revision)
        """,
        r"""
        revision = "d"
        down_revision = "c"
        PATTERN = "\d"
        """,
    ],
    ids=[
        "SQL",
        "docstring",
        "def in a string",
        "def in a later string",
        "local variable",
        "attribute",
        "odd escape",
    ],
)
def test_what_only_reads_like_an_assignment_is_not_one(tmp_path: Path, text: str) -> None:
    """Text in strings and the variables of functions and classes do not count."""
    graph = read_graph(write(tmp_path, {**CHAIN, "d.py": text}))

    assert graph is not None
    assert graph.down_revisions["d"] == ("c",)
    assert len(graph.down_revisions) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        'revision = "d"\n',
        'revision = 2\ndown_revision = "c"\n',
        'revision = make()\ndown_revision = "c"\n',
        'revision = "d"\ndown_revision = below\n',
        'revision = "d"\ndown_revision = ("c", 1)\n',
        'revision = "d"\ndown_revision = ""\n',
        "revision, down_revision = identifiers\n",
        'first, *down_revision = "d", "c"\nrevision = first\n',
        'revision = "d"\ndown_revision = "c"\nif True:\n    revision = "x"\n',
        'revision = "d"\ndown_revision = "c"\nrevision += "x"\n',
        'revision = "d"\ndown_revision = "c"\ndel down_revision\n',
        'revision = "d"\ndown_revision = "c"\nfrom shop import depends_on\n',
        'revision = "d"\ndown_revision = "c"\nimport shop as revision\n',
        'revision = "d"\ndown_revision = "c"\nfrom shop import *\n',
        'revision = "d"\ndown_revision = "c"\nfor revision in "xy":\n    pass\n',
        'revision = "d"\ndown_revision = "c"\nlength = (revision := "x")\n',
        'revision = "d"\ndown_revision = "c"\ndef upgrade():\n    global revision\n',
        'revision = "d"\ndown_revision = "c"\ndef upgrade():\n    pass\ndef revision(): ...\n',
        'revision = "d"\ndown_revision = "c"\ndef upgrade():\n    pass\nrevision = make()\n',
        'revision = "a"\ndown_revision = "c"\n',
        'revision = "d"\ndown_revision = "c"\nbranch_labels = "a"\n',
        'revision = "d"\ndown_revision = (\n',
    ],
)
def test_a_file_that_is_not_plain_is_left_to_alembic(tmp_path: Path, text: str) -> None:
    """One doubtful file makes the whole answer doubtful."""
    assert read_graph(write(tmp_path, {**CHAIN, "d.py": text})) is None


def test_dependencies_are_read_by_identifier_and_by_label(tmp_path: Path) -> None:
    """``depends_on`` may name a branch by the label of its revision."""
    write(
        tmp_path,
        {
            **CHAIN,
            "d.py": 'revision = "d"\ndown_revision = None\nbranch_labels = ("shop",)\n',
            "e.py": 'revision = "e"\ndown_revision = "c"\ndepends_on = ("shop", "b")\n',
        },
    )
    graph = read_graph(tmp_path)

    assert graph is not None
    assert graph.depends_on == {"e": ("d", "b")}
    assert list(graph.down_revisions)[-1] == "e"


def test_the_script_directory_is_read_from_the_configuration(tmp_path: Path) -> None:
    """``%(here)s`` is the directory of the file, as for Alembic."""
    (tmp_path / "scripts").mkdir()
    ini = tmp_path / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/scripts\n")

    assert parse_script_directory(ini) == tmp_path / "scripts"


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

    assert parse_script_directory(ini) is None
