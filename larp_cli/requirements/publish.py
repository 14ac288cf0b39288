"""Write several files, all of them or none.

Write each new file next to its destination and sync it. Then write a journal that lists them.
From then on the new files will take effect: if this run cannot finish, the next one does.
Without a journal, the next run removes the new files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from larp_cli.errors import CommandFailed, Stopped
from larp_cli.system.files import sync, write_synced

JOURNAL = Path(".larp-requirements.json")
WORKSPACE = ".larp-requirements-"
"""Prefix of the directories in which files are compiled."""
SUFFIX = ".larp-new"

type Contents = Mapping[Path, bytes | None]
"""Contents by paths below the root; None if the file does not exist."""


def publish(root: Path, contents: Contents) -> None:
    """Write ``contents`` to their paths below ``root``.

    Follow symbolic links, and keep the modes of the files.

    Raises:
        CommandFailed: The files could not be written, and are unchanged.
        Stopped: A signal arrived too late: the files are written.
    """
    before = {path: _read_content(root / path) for path in contents}
    try:
        _stage(root, contents)
    except OSError as error:
        raise _make_unchanged_error(error) from error
    try:
        recover(root)
    except KeyboardInterrupt as signal:  # too late to go back: finish first
        recover(root)
        raise Stopped("both lock files are written", changed=True) from signal
    except OSError as error:
        _restore(root, before)
        raise _make_unchanged_error(error) from error


def recover(root: Path) -> bool:
    """Finish what an earlier run began, and remove its journal; False if there is none.

    Raises:
        OSError: It cannot be finished.
    """
    journal = root / JOURNAL
    if not journal.exists():
        return False
    sync(root)
    entries = [((root / path).resolve(), digest) for path, digest in _read_journal(journal)]
    for place, digest in entries:  # do nothing else in this loop that might fail
        _move_into_place(place, digest)
    for directory in {place.parent for place, _ in entries if place.parent.exists()}:
        sync(directory)
    journal.unlink(missing_ok=True)
    sync(root)
    return True


def _move_into_place(place: Path, digest: str | None) -> None:
    """Replace a file by its staged version; with None, remove it."""
    with suppress(FileNotFoundError):
        if digest is None:
            place.unlink()
        elif _hash(_staging_path(place).read_bytes()) == digest:
            os.replace(_staging_path(place), place)


def remove_leftovers(root: Path, paths: tuple[Path, ...]) -> None:
    """Remove the staged files and directories of a killed run that wrote no journal."""
    for path in (*paths, JOURNAL):
        with suppress(OSError):
            _staging_path((root / path).resolve()).unlink(missing_ok=True)
    for directory in root.glob(f"{WORKSPACE}*"):
        shutil.rmtree(directory, ignore_errors=True)


def is_interrupted(root: Path) -> bool:
    """Return whether a run was killed while it wrote the files."""
    return (root / JOURNAL).exists()


def _stage(root: Path, contents: Contents) -> None:
    """Write the new files next to their destinations, and the journal last."""
    is_first = not (root / JOURNAL).exists()
    places = {(root / path).resolve(): content for path, content in contents.items()}
    try:
        _write_staged(places)
        _write_journal(root / JOURNAL, contents)
    except BaseException:
        _unstage(root / JOURNAL, tuple(places), is_first=is_first)
        raise


def _write_staged(places: Contents) -> None:
    for place, content in places.items():
        if content is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_synced(_staging_path(place), content, like=place)
            sync(place.parent)


def _write_journal(journal: Path, contents: Contents) -> None:
    entries = [
        (str(path), None if content is None else _hash(content))
        for path, content in contents.items()
    ]
    write_synced(_staging_path(journal), json.dumps(entries).encode())
    os.replace(_staging_path(journal), journal)


def _unstage(journal: Path, places: tuple[Path, ...], *, is_first: bool) -> None:
    """Remove the staged files, and first the journal, which must not list missing files."""
    for path in (*([journal] if is_first else []), *map(_staging_path, (*places, journal))):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _restore(root: Path, before: Contents) -> None:
    """Write the old contents back where only some files could be replaced."""
    changed = {path: old for path, old in before.items() if _read_content(root / path) != old}
    try:
        _stage(root, changed)
        recover(root)
    except OSError as error:
        failure = CommandFailed(
            f"possibly only one lock file was written: {error.strerror}",
            hint="fix the permissions, then larp requirements update finishes it",
        )
        failure.changed = True
        raise failure from error
    remove_leftovers(root, tuple(before))


def _make_unchanged_error(error: OSError) -> CommandFailed:
    return CommandFailed(
        f"cannot write the lock files, and left them unchanged: {error.strerror}",
        hint="free disk space or fix the permissions, then: larp requirements update",
    )


def _read_journal(journal: Path) -> Iterator[tuple[Path, str | None]]:
    """Read the valid entries of a journal, which may come from an untrusted repository."""
    try:
        entries = json.loads(journal.read_text(encoding="utf-8"))
    except ValueError:
        return
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case [str(name), str() | None as digest]:
                path = Path(name)
                if not path.is_absolute() and ".." not in path.parts:
                    yield path, digest


def _read_content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _staging_path(place: Path) -> Path:
    """Return where a file is written before it replaces the one at ``place``."""
    return place.with_name(f".{place.name}{SUFFIX}")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
