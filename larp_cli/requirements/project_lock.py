"""Lock a project, so that only one command writes its lock files at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from larp_cli.errors import CommandFailed, ConfigurationError, Locked, Stopped
from larp_cli.requirements.project import LockedProject
from larp_cli.requirements.publish import recover, remove_leftovers

if TYPE_CHECKING:
    from larp_cli.observer import Observer

LOCK = ".larp-requirements.lock"


@contextmanager
def lock_project(project: LockedProject, observer: Observer) -> Iterator[None]:
    """Lock the project, and first finish an update that was killed.

    Raises:
        Locked: Another command holds the lock.
        ConfigurationError: The project cannot be written.
        CommandFailed: The killed update cannot be finished.
        Stopped: A signal arrived.
    """
    lock = _acquire(project.root)
    try:
        _finish_killed_update(project, observer)
        yield
    except Stopped:
        raise
    except KeyboardInterrupt as signal:
        raise Stopped("the lock files are unchanged", changed=False) from signal
    finally:
        # Remove the file while the lock is held, so that a waiting process notices.
        (project.root / LOCK).unlink(missing_ok=True)
        lock.release()


def _acquire(root: Path) -> FileLock:
    lock = FileLock(root / LOCK, timeout=0, mode=0o644)
    try:
        lock.acquire()
    except Timeout as error:
        raise Locked(
            f"another update is running in {root}",
            hint="retry when it has finished: larp requirements update",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {root}: {error.strerror}",
            hint="check the permissions; larp requirements check only reads",
        ) from error
    return lock


def _finish_killed_update(project: LockedProject, observer: Observer) -> None:
    try:
        if recover(project.root):
            observer.note("finished an update that was killed while it wrote the files")
    except OSError as error:
        raise CommandFailed(
            f"cannot finish an update that was killed while it wrote the files: {error.strerror}",
            hint="free disk space or fix the permissions, then: larp requirements update",
        ) from error
    remove_leftovers(project.root, tuple(target.path for target in project.targets))
