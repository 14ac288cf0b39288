"""Writing several files so that all of them are the new ones, or none.

Each is written beside its place and synced. Then a journal is, which names them: from there
on they will be the new ones, whatever happens, as the next run finishes what this one could
not. Without a journal what lies beside is rubbish.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from larp_cli.errors import CommandFailed

JOURNAL = ".larp-requirements.json"
SUFFIX = ".larp-new"


def publish(root: Path, texts: Mapping[Path, str]) -> None:
    """Write ``texts`` to their paths below ``root``.

    A symbolic link stays one, and what it leads to is written; modes are kept.

    Raises:
        CommandFailed: They could not be written, and are as they were.
    """
    places = {(root / path).resolve(): text for path, text in texts.items()}
    journal = root / JOURNAL
    try:
        for place, text in places.items():
            _write(_beside(place), text, like=place)
        entries = {str(place): _digest(text.encode()) for place, text in places.items()}
        _write(_beside(journal), json.dumps(entries), like=None)
        os.replace(_beside(journal), journal)
    except BaseException as error:
        for path in (*map(_beside, places), _beside(journal), journal):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise CommandFailed(
                f"the lock files cannot be written, and are as they were: {error.strerror}",
                hint="make room, or see who may write there; then: larp requirements update",
            ) from error
        raise
    try:
        recover(root)
    except KeyboardInterrupt:  # too late to go back: what is begun is finished first
        recover(root)
        raise


def recover(root: Path) -> bool:
    """Finish what an earlier run has begun, and remove what it left; tells whether it had."""
    journal = root / JOURNAL
    try:
        entries = json.loads(journal.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        journal.unlink(missing_ok=True)
        return False
    _sync(root)
    for name, digest in entries.items():
        place = Path(name)
        beside = _beside(place)
        with suppress(FileNotFoundError):
            if _digest(beside.read_bytes()) == digest:
                os.replace(beside, place)
        _sync(place.parent)
    journal.unlink(missing_ok=True)
    _sync(root)
    return True


def sweep(root: Path, paths: tuple[Path, ...]) -> None:
    """Remove what a run that was killed before its journal has left beside the files."""
    for path in paths:
        with suppress(OSError):
            _beside((root / path).resolve()).unlink(missing_ok=True)


def is_interrupted(root: Path) -> bool:
    """Look whether a run was killed while it published."""
    return (root / JOURNAL).exists()


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}{SUFFIX}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, text: str, *, like: Path | None) -> None:
    """Write a file to the disk, with the mode of another that it will replace."""
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        if like is not None and like.exists():
            os.fchmod(file.fileno(), like.stat().st_mode & 0o7777)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
