"""``larp requirements rollback``: restoring both files from a backup."""

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
    """A project with lock files."""
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
    return backups.list_names()


@pytest.mark.usefixtures("names")
def test_the_newest_backup_is_restored(larp: Larp, locked: LockableProject) -> None:
    """Both files are restored with their modes, and the rollback can be undone."""
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


def test_a_backup_is_found_by_its_first_characters(
    larp: Larp, locked: LockableProject, names: list[str]
) -> None:
    """An unambiguous prefix of the name is enough."""
    common = next(i for i, (a, b) in enumerate(zip(*names, strict=True)) if a != b)

    outcome = larp("requirements", "rollback", names[1][: common + 1])

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "click==8.2" in locked.main


@pytest.mark.parametrize(
    ("which", "message"), [("2", "several backups begin with 2"), ("x", "there is no backup x")]
)
def test_an_unknown_or_ambiguous_name_lists_the_backups(
    larp: Larp, locked: LockableProject, names: list[str], which: str, message: str
) -> None:
    """The error lists the candidates, and nothing is changed."""
    before = locked.main

    outcome = larp("requirements", "rollback", which)

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert message in outcome.stderr
    assert all(name in outcome.stderr for name in names)
    assert f"hint: larp requirements rollback {names[0]}" in outcome.stderr
    assert locked.main == before


def test_without_a_backup_the_rollback_fails(larp: Larp, locked: LockableProject) -> None:
    """The command exits with 4."""
    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "there is no backup of the lock files" in outcome.stderr


@pytest.mark.usefixtures("names")
def test_equal_files_are_not_written(larp: Larp, locked: LockableProject) -> None:
    """Rolling back to equal files writes nothing and makes no backup."""
    larp("requirements", "rollback")

    again = larp("requirements", "rollback", "--json")
    same = larp("requirements", "rollback", again.result["way_back"] or "", "--json")

    assert same.exit_code == ExitCode.OK
    assert larp("requirements", "rollback", same.result["backup"]).exit_code == ExitCode.OK
    assert "nothing to do" in larp("requirements", "rollback", same.result["backup"]).stdout


def test_a_file_missing_in_the_backup_is_removed(
    larp: Larp, locked: LockableProject, larp_home: Path
) -> None:
    """If a file did not exist at the time of the backup, the rollback removes it."""
    backups = Backups(lambda: larp_home, locked.root)
    backups.save({"requirements.txt": None, "requirements-dev.txt": "click==1\n"})

    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert locked.names() == {"pyproject.toml", "requirements-dev.txt"}
    assert locked.dev == "click==1\n"


def test_a_backup_of_other_files_is_rejected(
    larp: Larp, locked: LockableProject, larp_home: Path
) -> None:
    """If pyproject.toml names other files now, none of them is changed."""
    Backups(lambda: larp_home, locked.root).save({"base.txt": "x==1\n", "dev.txt": "x==1\n"})

    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "contains other files" in outcome.stderr


def test_an_invalid_backup_is_reported(larp: Larp, names: list[str], larp_home: Path) -> None:
    """The error names the file of the backup."""
    (path,) = larp_home.rglob(f"{names[0]}.json")
    path.write_text("{")

    outcome = larp("requirements", "rollback")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert str(path) in outcome.stderr


def test_a_failed_rollback_makes_no_backup(
    larp: Larp, locked: LockableProject, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup of files that did not change would displace an older one."""
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
