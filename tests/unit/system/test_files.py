"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from larp_cli.system.files import move, sync, write_synced


def test_a_file_gets_the_mode_of_the_one_that_it_will_replace(tmp_path: Path) -> None:
    """A lock file that only its group may read stays so."""
    old = tmp_path / "old"
    old.touch()
    old.chmod(0o640)

    write_synced(tmp_path / "new", b"text", like=old)

    assert (tmp_path / "new").read_bytes() == b"text"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_link_in_the_place_of_a_new_file_is_not_followed(tmp_path: Path) -> None:
    """Writing removes the link; what it points to stays as it was."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "new").symlink_to(tmp_path / "precious")

    write_synced(tmp_path / "new", b"text")

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "new").read_bytes() == b"text"


@pytest.mark.parametrize("replace", [True, False])
def test_a_file_moves_to_a_free_name(tmp_path: Path, replace: bool) -> None:
    """The old name is gone, the new one holds the content."""
    (tmp_path / "source").write_bytes(b"new")

    move(tmp_path / "source", tmp_path / "target", replace=replace)

    assert (tmp_path / "target").read_bytes() == b"new"
    assert not (tmp_path / "source").exists()


def test_a_file_that_exists_is_replaced_on_request_only(tmp_path: Path) -> None:
    """Without `replace` both files stay as they were."""
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")

    with pytest.raises(FileExistsError):
        move(tmp_path / "source", tmp_path / "target", replace=False)
    assert (tmp_path / "target").read_bytes() == b"old"
    assert (tmp_path / "source").read_bytes() == b"new"

    move(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_file_moves_where_the_file_system_has_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT and some network file systems refuse to make a hard link."""

    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "source").write_bytes(b"new")

    move(tmp_path / "source", tmp_path / "target", replace=False)

    assert (tmp_path / "target").read_bytes() == b"new"
    assert not (tmp_path / "source").exists()


def test_a_directory_moves_with_what_is_in_it(tmp_path: Path) -> None:
    """A data directory gets its name when initdb is done."""
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "PG_VERSION").write_text("18")

    move(tmp_path / "unfinished", tmp_path / "data")

    assert (tmp_path / "data" / "PG_VERSION").read_text() == "18"


def test_what_is_moved_is_synced_in_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename survives a power failure only when the directory has been synced after it."""
    synced = []

    def note(descriptor: int) -> None:
        synced.append((os.path.realpath(f"/dev/fd/{descriptor}"), (tmp_path / "target").exists()))

    monkeypatch.setattr(os, "fsync", note)
    (tmp_path / "source").touch()
    sync(tmp_path / "source")
    move(tmp_path / "source", tmp_path / "target")

    assert synced == [(str(tmp_path / "source"), False), (str(tmp_path), True)]
