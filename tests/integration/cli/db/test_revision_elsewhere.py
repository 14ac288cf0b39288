"""``larp db revision`` in a project of others: its ways are followed, its files left alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import ROOT, Larp
from tests.databases import versions
from tests.integration.cli.db.conftest import Build
from tests.projects import ForeignProject
from tests.revisions import write
from tests.servers import PASSWORD

ALONE = """
sa.Table("hero", target_metadata, sa.Column("id", sa.Integer, primary_key=True))
"""


def test_a_project_of_others_gets_its_file_in_its_way(larp: Larp, build: Build, empty: str) -> None:
    """Its template, its file names and its env.py are used."""
    theirs = build(models=ALONE)
    template = (ROOT / "alembic" / "script.py.mako").read_text()
    (theirs.directory / "scripts" / "script.py.mako").write_text(f"{template}\n# theirs\n")

    outcome = write(larp, "Add heroes", "-c", theirs.config)

    path = Path(outcome.result["path"])
    assert path.parent == theirs.directory / "scripts" / "versions"
    assert path.name == f"{outcome.result['revision']}_add_heroes.py"
    assert path.read_text().endswith("# theirs\n")
    assert outcome.result["down_revisions"] == []
    assert larp("db", "migrate", "-c", theirs.config).exit_code == ExitCode.OK
    assert versions(empty, "alembic_version") == [outcome.result["revision"]]
    assert larp("db", "check", "-c", theirs.config).exit_code == ExitCode.OK


def test_a_project_of_others_may_have_several_places(larp: Larp, build: Build, empty: str) -> None:
    """The file goes to where the head is, also into directories by year."""
    theirs = build(models=ALONE)
    shutil.copy(ROOT / "alembic" / "script.py.mako", theirs.directory / "scripts")
    ini = Path(theirs.config)
    places = "version_locations = %(here)s/one:%(here)s/two\nfile_template = %%(year)d/%%(slug)s\n"
    recursive = "recursive_version_locations = true\n"
    ini.write_text(ini.read_text().replace("[alembic]\n", f"[alembic]\n{places}{recursive}"))
    for place in ("one", "two"):
        (theirs.directory / place).mkdir()
    theirs.revision("first").rename(theirs.directory / "two" / "first.py")

    outcome = write(larp, "second", "--empty", "-c", theirs.config)

    path = Path(outcome.result["path"])
    assert path.parents[1] == theirs.directory / "two"
    assert path.name == "second.py"
    assert outcome.result["down_revisions"] == ["first"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system than the project's."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


def test_revisions_may_be_on_another_file_system(
    larp: Larp, build: Build, empty: str, elsewhere: Path
) -> None:
    """Such as a volume of its own; the file has the permissions of any new file."""
    theirs = build(models=ALONE)
    shutil.copy(ROOT / "alembic" / "script.py.mako", theirs.directory / "scripts")
    ini = Path(theirs.config)
    place = f"version_locations = {elsewhere}\n"
    ini.write_text(ini.read_text().replace("[alembic]\n", f"[alembic]\n{place}"))
    plain = elsewhere / "plain.txt"
    plain.touch()

    first = write(larp, "first", "--empty", "-c", theirs.config)
    second = write(larp, "second", "--empty", "-c", theirs.config)

    paths = [Path(outcome.result["path"]) for outcome in (first, second)]
    assert second.result["down_revisions"] == [first.result["revision"]]
    assert {path for path in elsewhere.iterdir() if path.name != "__pycache__"} == {plain, *paths}
    assert {path.stat().st_mode for path in paths} == {plain.stat().st_mode}


def test_several_heads_have_to_be_merged_first(larp: Larp, build: Build, empty: str) -> None:
    """Which of them a new revision follows is not for us to say."""
    theirs = build(models=ALONE)
    theirs.revision("left")
    theirs.revision("right")

    outcome = larp("db", "revision", "--empty", "-m", "x", "-c", theirs.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "merge heads" in outcome.document["error"]["hint"]


def test_a_project_without_models_can_only_have_empty_revisions(
    larp: Larp, build: Build, empty: str
) -> None:
    """There is nothing to compare with, and the hint says what to do."""
    theirs = build()
    text = theirs.environment.read_text()
    theirs.environment.write_text(text.replace("target_metadata=target_metadata", "tag=None"))

    outcome = larp("db", "revision", "-m", "x", "-c", theirs.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "target_metadata" in outcome.document["error"]["message"]
    assert "--empty" in outcome.document["error"]["hint"]


def test_a_template_that_is_broken_is_an_error(larp: Larp, build: Build, empty: str) -> None:
    """Alembic's own explanation is told, and nothing is left behind."""
    theirs = build(models=ALONE)
    (theirs.directory / "scripts" / "script.py.mako").write_text("${nobody.knows}")

    outcome = larp("db", "revision", "-m", "x", "-c", theirs.config, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert list((theirs.directory / "scripts" / "versions").glob("*.py")) == []
    assert list((theirs.directory / "scripts").glob(".larp-*")) == []


def test_a_file_of_that_name_is_not_overwritten(larp: Larp, build: Build, empty: str) -> None:
    """Two revisions with one message need two names."""
    theirs = build(models=ALONE)
    shutil.copy(ROOT / "alembic" / "script.py.mako", theirs.directory / "scripts")
    ini = Path(theirs.config)
    ini.write_text(ini.read_text().replace("[alembic]\n", "[alembic]\nfile_template = %%(slug)s\n"))
    first = Path(write(larp, "same", "--empty", "-c", theirs.config).result["path"])
    text = first.read_text()

    outcome = larp("db", "revision", "--empty", "-m", "same", "-c", theirs.config, "--json")

    assert outcome.exit_code == ExitCode.REFUSED
    assert first.read_text() == text


def test_stdout_is_the_document_whatever_env_py_prints(
    larp: Larp, build: Build, empty: str
) -> None:
    """Alembic's own messages and those of env.py go to stderr, and no password anywhere."""
    theirs: ForeignProject = build(models=ALONE)
    shutil.copy(ROOT / "alembic" / "script.py.mako", theirs.directory / "scripts")
    text = theirs.environment.read_text()
    theirs.environment.write_text(f"{text}\nprint('hello from env.py')\n")

    outcome = write(larp, "Add heroes", "-c", theirs.config)

    assert "hello from env.py" in outcome.stderr
    assert PASSWORD not in outcome.stdout + outcome.stderr
