"""Writing all of the files, or none."""

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
    """Read both files."""
    return [(root / path).read_text() for path in (MAIN, DEV)]


def names(root: Path) -> set[str]:
    """List the directory."""
    return {path.name for path in root.iterdir()}


def refuse_renames(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let renames to these names fail, as over another user's file in a sticky directory."""
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name in names:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)


def test_a_refused_rename_restores_the_first_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the second file cannot be replaced, the first gets its old contents back."""
    refuse_renames(monkeypatch, "dev.txt")

    with pytest.raises(CommandFailed, match="left them unchanged: Operation not permitted"):
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert contents(root) == ["old", "old"]
    assert names(root) == {"main.txt", "dev.txt"}


def test_a_refused_rename_removes_a_new_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that did not exist before is removed."""
    (root / MAIN).unlink()
    refuse_renames(monkeypatch, "dev.txt")

    with pytest.raises(CommandFailed):
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert names(root) == {"dev.txt"}


def test_the_next_run_finishes_what_can_be_neither_finished_nor_undone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal stays, and the next run finishes once the disk works again."""
    with monkeypatch.context() as patch:
        replace, tried = os.replace, []

        def fail_from_the_second_file_on(source: Path, target: Path) -> None:
            tried.append(Path(target).name)
            if "dev.txt" in tried:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            replace(source, target)

        patch.setattr(os, "replace", fail_from_the_second_file_on)
        with pytest.raises(
            CommandFailed, match="possibly only one lock file was written"
        ) as caught:
            publish(root, {MAIN: b"new", DEV: b"new"})
    assert caught.value.changed
    assert is_interrupted(root)

    assert recover(root)

    assert contents(root) == ["new", "new"]
    assert names(root) == {"main.txt", "dev.txt"}


def test_a_signal_between_the_renames_is_too_late(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C between the renames, both are made and the exception says so."""
    replace, tried = os.replace, []

    def interrupted(source: Path, target: Path) -> None:
        tried.append(target)
        if len(tried) == 3:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(Stopped, match="both lock files are written") as caught:
        publish(root, {MAIN: b"new", DEV: b"new"})

    assert contents(root) == ["new", "new"]
    assert caught.value.changed


def test_the_journal_is_removed_before_the_files_it_lists(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If larp is killed while it cleans up, no journal lists files that are gone."""
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


def test_directories_are_created_and_links_followed(root: Path) -> None:
    """A missing directory is created, and the file that a link leads to is written."""
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
def test_an_invalid_journal_changes_nothing(root: Path, journal: str) -> None:
    """A journal that is broken or lists files outside of the project is removed."""
    outside = root.parent / "outside.txt"
    outside.write_text("kept")
    (root / JOURNAL).write_text(journal.replace("/OUTSIDE", str(outside)))

    recover(root)

    assert contents(root) == ["old", "old"]
    assert outside.read_text() == "kept"
    assert not is_interrupted(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_root_keeps_the_owner_of_the_files(root: Path) -> None:
    """An update as root in a container does not change who owns the files."""
    os.chown(root / MAIN, 1234, 1234)

    publish(root, {MAIN: b"new", DEV: b"new"})

    assert (root / MAIN).stat().st_uid == 1234
