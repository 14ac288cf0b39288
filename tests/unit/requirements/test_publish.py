"""Publishing: all of the files, or none."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from larp_cli.errors import CommandFailed, Stopped
from larp_cli.requirements.publish import JOURNAL, is_interrupted, publish, recover

MAIN, DEV = Path("main.txt"), Path("dev.txt")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with two files."""
    for path in (MAIN, DEV):
        (tmp_path / path).write_text("old")
    return tmp_path


def contents(root: Path) -> list[str]:
    """Read both."""
    return [(root / path).read_text() for path in (MAIN, DEV)]


def names(root: Path) -> set[str]:
    """List what is in the directory."""
    return {path.name for path in root.iterdir()}


def failing_at(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let renames to these names fail, as in a sticky directory those over others' files do."""
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name in names:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)


def test_a_rename_that_is_refused_takes_the_first_one_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only the second file cannot be replaced, the first is the old one again."""
    failing_at(monkeypatch, "dev.txt")

    with pytest.raises(CommandFailed, match="left them unchanged: Operation not permitted"):
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert contents(root) == ["old", "old"]
    assert names(root) == {"main.txt", "dev.txt"}


def test_a_file_that_is_new_is_taken_back_as_well(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What did not exist does not exist again."""
    (root / MAIN).unlink()
    failing_at(monkeypatch, "dev.txt")

    with pytest.raises(CommandFailed):
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert names(root) == {"dev.txt"}


def test_what_can_be_neither_finished_nor_undone_is_told_and_kept_for_the_next_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal stays, and finishes it as soon as that is possible."""
    with monkeypatch.context() as patch:
        replace, tried = os.replace, []

        def fail_from_the_second_file_on(source: Path, target: Path) -> None:
            tried.append(Path(target).name)
            if "dev.txt" in tried:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            replace(source, target)

        patch.setattr(os, "replace", fail_from_the_second_file_on)
        with pytest.raises(CommandFailed, match="possibly only one lock file was written") as told:
            publish(root, {MAIN: b"new", DEV: b"new"})
    assert told.value.changed
    assert is_interrupted(root)

    assert recover(root)

    assert contents(root) == ["new", "new"]
    assert names(root) == {"main.txt", "dev.txt"}


def test_an_interruption_that_comes_too_late_says_that_it_is_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the two renames: both are made, and the exception knows."""
    replace, tried = os.replace, []

    def interrupted(source: Path, target: Path) -> None:
        tried.append(target)
        if len(tried) == 3:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(Stopped, match="both lock files are published") as told:
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert contents(root) == ["new", "new"]
    assert told.value.changed


def test_a_journal_is_taken_back_before_what_it_names(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it clears up after Ctrl-C, it must not have left half of a promise."""
    replace, unlink, removed = os.replace, Path.unlink, []

    def interrupted(source: Path, target: Path) -> None:
        replace(source, target)
        raise KeyboardInterrupt

    def noted(path: Path, missing_ok: bool = False) -> None:
        if path.exists():
            removed.append(path.name)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(os, "replace", interrupted)
    monkeypatch.setattr(Path, "unlink", noted)
    with pytest.raises(KeyboardInterrupt):
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert removed == [JOURNAL.name, ".main.txt.larp-new", ".dev.txt.larp-new"]
    assert contents(root) == ["old", "old"]


def test_directories_are_made_and_links_followed(root: Path) -> None:
    """A file may be new, and where its directory is too, or a link to somewhere else."""
    elsewhere = root / "elsewhere.txt"
    (root / MAIN).unlink()
    (root / MAIN).symlink_to(elsewhere)

    publish(root, {MAIN: b"new", Path("lock/dev.txt"): b"new"})

    assert (root / MAIN).is_symlink()
    assert elsewhere.read_text() == "new"
    assert (root / "lock/dev.txt").read_text() == "new"


@pytest.mark.parametrize(
    "journal",
    [
        "",
        "{",
        "3",
        "{}",
        "[3]",
        '[["main.txt"]]',
        '[["main.txt", 3]]',
        '[["main.txt", "0000"]]',
        '[["../outside.txt", null]]',
        json.dumps([["/OUTSIDE", None]]),
    ],
)
def test_a_journal_is_not_believed(root: Path, journal: str) -> None:
    """One that is broken, or names what is not below the project, changes nothing and goes."""
    outside = root.parent / "outside.txt"
    outside.write_text("kept")
    (root / JOURNAL).write_text(journal.replace("/OUTSIDE", str(outside)))

    recover(root)

    assert contents(root) == ["old", "old"]
    assert outside.read_text() == "kept"
    assert not is_interrupted(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_root_leaves_the_files_to_their_owner(root: Path) -> None:
    """An update in a container does not take the files of the one whose project it is."""
    os.chown(root / MAIN, 1234, 1234)

    publish(root, {MAIN: b"new", DEV: b"new"})

    assert (root / MAIN).stat().st_uid == 1234
