"""Writing several files so that all of them are the new ones, or none.

Each is written beside its place and synced. Then a journal is, which names them: from there
on they will be the new ones, whatever happens, as the next run finishes what this one could
not. Without a journal what lies beside is rubbish.
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
"""How the directories begin in which files are compiled."""
SUFFIX = ".larp-new"

type Contents = Mapping[Path, bytes | None]
"""What stands at paths below the root; None for no file at all."""


def publish(root: Path, contents: Contents) -> None:
    """Bring ``contents`` to their paths below ``root``.

    A symbolic link stays one, and what it leads to is written; modes are kept.

    Raises:
        CommandFailed: They could not be written, and are as they were.
        Stopped: A signal came too late: they are written.
    """
    before = {path: _content(root / path) for path in contents}
    try:
        _stage(root, contents)
    except OSError as error:
        raise _as_they_were(error) from error
    try:
        recover(root)
    except KeyboardInterrupt as signal:  # too late to go back: what is begun is finished first
        recover(root)
        raise Stopped("both lock files are published", changed=True) from signal
    except OSError as error:
        _take_back(root, before)
        raise _as_they_were(error) from error


def recover(root: Path) -> bool:
    """Finish what an earlier run has begun, and remove what it left; tells whether it had.

    Raises:
        OSError: It cannot be finished.
    """
    journal = root / JOURNAL
    if not journal.exists():
        return False
    sync(root)
    entries = [((root / path).resolve(), digest) for path, digest in _entries(journal)]
    for place, digest in entries:  # with nothing between them that might fail
        with suppress(FileNotFoundError):
            if digest is None:
                place.unlink()
            elif _digest(_beside(place).read_bytes()) == digest:
                os.replace(_beside(place), place)
    for directory in {place.parent for place, _ in entries if place.parent.exists()}:
        sync(directory)
    journal.unlink(missing_ok=True)
    sync(root)
    return True


def sweep(root: Path, paths: tuple[Path, ...]) -> None:
    """Remove what a run that was killed has left; for one that has no journal."""
    for path in (*paths, JOURNAL):
        with suppress(OSError):
            _beside((root / path).resolve()).unlink(missing_ok=True)
    for directory in root.glob(f"{WORKSPACE}*"):
        shutil.rmtree(directory, ignore_errors=True)


def is_interrupted(root: Path) -> bool:
    """Look whether a run was killed while it published."""
    return (root / JOURNAL).exists()


def _stage(root: Path, contents: Contents) -> None:
    """Write everything beside its place, and the journal last."""
    journal = root / JOURNAL
    is_first = not journal.exists()
    places = {(root / path).resolve(): content for path, content in contents.items()}
    entries = [
        (str(path), None if content is None else _digest(content))
        for path, content in contents.items()
    ]
    try:
        for place, content in places.items():
            if content is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
                write_synced(_beside(place), content, like=place)
                sync(place.parent)
        write_synced(_beside(journal), json.dumps(entries).encode())
        os.replace(_beside(journal), journal)
    except BaseException:
        # The journal goes first: without the files that it names it would be half a promise.
        for path in (*([journal] if is_first else []), *map(_beside, (*places, journal))):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise


def _take_back(root: Path, before: Contents) -> None:
    """Undo the renames that were made before one failed."""
    changed = {path: old for path, old in before.items() if _content(root / path) != old}
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
    sweep(root, tuple(before))


def _as_they_were(error: OSError) -> CommandFailed:
    return CommandFailed(
        f"cannot write the lock files, and left them unchanged: {error.strerror}",
        hint="free disk space or fix the permissions, then: larp requirements update",
    )


def _entries(journal: Path) -> Iterator[tuple[Path, str | None]]:
    """Read a journal, of which nothing is believed: it may have come with a repository."""
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


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}{SUFFIX}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
