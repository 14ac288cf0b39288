"""Files that are whole after a crash or a power failure: the old one or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def sync(path: Path) -> None:
    """Write a file, or the names in a directory, through to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Write a new file through to the disk; one of that name is removed first.

    ``like`` is a file whose mode and owner it gets, such as the one that it will replace.

    Raises:
        OSError: It cannot be written.
    """
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        if like is not None and like.exists():
            status = like.stat()
            with suppress(PermissionError):  # only root may give a file away
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def move(source: Path, target: Path, *, replace: bool = True) -> None:
    """Rename a synced file or directory in one step, and sync the directory it is in.

    Args:
        source: What to move; on the same file system as ``target``.
        target: Its new name.
        replace: Whether it may take the place of another file.

    Raises:
        FileExistsError: ``target`` exists, and may not be replaced.
        OSError: It cannot be renamed.
    """
    if replace or not _link(source, target):
        os.replace(source, target)
    else:
        source.unlink()
    sync(target.parent)


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name: unlike a rename, this never replaces another file.

    Returns False where the file system has no links.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
