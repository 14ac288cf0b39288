"""``larp requirements rollback``: back to a pair that was there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.requirements.backups import Backups
from tests.conftest import Larp
from tests.requirements import LockableProject


@pytest.fixture
def locked(project: LockableProject) -> LockableProject:
    """A project with files and, by name, two backups."""
    return project.wants("click").locked(["click==8.1"], ["click==8.1"])


@pytest.fixture
def names(locked: LockableProject, larp_home: Path) -> list[str]:
    """Names of two backups, newest first."""
    backups = Backups(lambda: larp_home, locked.root)
    for version in ("8.2", "8.3"):
        texts = {
            "requirements.txt": locked.main.replace("8.1", version),
            "requirements-dev.txt": locked.dev.replace("8.1", version),
        }
        assert backups.save(texts) is not None
    return backups.names()


@pytest.mark.usefixtures("names")
def test_the_newest_backup_is_put_back(larp: Larp, locked: LockableProject) -> None:
    """Both files are as they were, modes are kept, and the way back is named."""
    (locked.root / "requirements.txt").chmod(0o640)
    before = locked.main, locked.dev

    outcome = larp("requirements", "rollback", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.document["changed"] is True
    assert "click==8.3" in locked.main
    assert "click==8.3" in locked.dev
    assert (locked.root / "requirements.txt").stat().st_mode & 0o777 == 0o640
    assert len(locked.names()) == 3
    undone = larp("requirements", "rollback", outcome.result["way_back"])
    assert undone.exit_code == ExitCode.OK
    assert (locked.main, locked.dev) == before


def test_a_backup_is_found_by_its_beginning(
    larp: Larp, locked: LockableProject, names: list[str]
) -> None:
    """As much of the name as makes it the only one is enough."""
    common = next(i for i, (a, b) in enumerate(zip(*names, strict=True)) if a != b)

    outcome = larp("requirements", "rollback", names[1][: common + 1])

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "click==8.2" in locked.main


@pytest.mark.parametrize(
    ("which", "message"), [("2", "several backups are called 2"), ("x", "no backup is called x")]
)
def test_a_name_that_is_not_clear_lists_the_others(
    larp: Larp, locked: LockableProject, names: list[str], which: str, message: str
) -> None:
    """What may be meant by it is told, and nothing is changed."""
    before = locked.main

    outcome = larp("requirements", "rollback", which)

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert message in outcome.stderr
    assert all(name in outcome.stderr for name in names)
    assert f"hint: larp requirements rollback {names[0]}" in outcome.stderr
    assert locked.main == before


def test_without_a_backup_there_is_nothing_to_return_to(
    larp: Larp, locked: LockableProject
) -> None:
    """It ends with 4, and with a hint."""
    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "there is no backup of the lock files" in outcome.stderr


@pytest.mark.usefixtures("names")
def test_files_that_are_the_same_already_stay(larp: Larp, locked: LockableProject) -> None:
    """Nothing is written, and no backup made."""
    larp("requirements", "rollback")

    again = larp("requirements", "rollback", "--json")
    same = larp("requirements", "rollback", again.result["way_back"] or "", "--json")

    assert same.exit_code == ExitCode.OK
    assert larp("requirements", "rollback", same.result["backup"]).exit_code == ExitCode.OK
    assert "nothing to do" in larp("requirements", "rollback", same.result["backup"]).stdout


def test_a_file_that_was_not_there_goes_again(
    larp: Larp, locked: LockableProject, larp_home: Path
) -> None:
    """A backup of one file alone leaves one file alone."""
    backups = Backups(lambda: larp_home, locked.root)
    backups.save({"requirements.txt": None, "requirements-dev.txt": "click==1\n"})

    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert locked.names() == {"pyproject.toml", "requirements-dev.txt"}
    assert locked.dev == "click==1\n"


def test_a_backup_of_other_files_is_refused(
    larp: Larp, locked: LockableProject, larp_home: Path
) -> None:
    """Where the project names other files by now, none of them is touched."""
    Backups(lambda: larp_home, locked.root).save({"base.txt": "x==1\n", "dev.txt": "x==1\n"})

    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "contains other files" in outcome.stderr


def test_a_broken_backup_is_told(larp: Larp, names: list[str], larp_home: Path) -> None:
    """It is named with its place, and not taken for a bug."""
    (path,) = larp_home.rglob(f"{names[0]}.json")
    path.write_text("{")

    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert str(path) in outcome.stderr


def test_a_rollback_that_fails_leaves_no_backup_behind(
    larp: Larp, locked: LockableProject, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of what is there still would push an older one out."""
    before, backups = locked.main, set(names)
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name == "requirements-dev.txt":
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)

    outcome = larp("requirements", "rollback", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.document["changed"] is False
    assert "left them unchanged" in outcome.document["error"]["message"]
    assert locked.main == before
    assert {path.stem for path in Path(os.environ["LARP_HOME"]).rglob("*.json")} == backups
