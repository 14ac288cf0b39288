"""Being the only one at work in a project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from larp_cli.errors import CommandFailed, ConfigurationError, Locked, Stopped
from larp_cli.requirements.project import LockedProject
from larp_cli.requirements.publish import recover, sweep

if TYPE_CHECKING:
    from larp_cli.observer import Observer

LOCK = ".larp-requirements.lock"


@contextmanager
def exclusive(project: LockedProject, observer: Observer) -> Iterator[None]:
    """Be the only one at work in the project, and clear up after one that was killed.

    Raises:
        Locked: Somebody else is.
        ConfigurationError: Nothing can be written there.
        CommandFailed: What was begun cannot be finished.
    """
    lock = FileLock(project.root / LOCK, timeout=0, mode=0o644)
    try:
        lock.acquire()
    except Timeout as error:
        raise Locked(
            f"another update is running in {project.root}",
            hint="retry when it has finished: larp requirements update",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {project.root}: {error.strerror}",
            hint="check the permissions; larp requirements check only reads",
        ) from error
    try:
        _clear_up(project, observer)
        yield
    except Stopped:
        raise
    except KeyboardInterrupt as signal:
        raise Stopped("the lock files are as they were", changed=False) from signal
    finally:
        # Removed while it is held, so that a process that waits for it notices.
        (project.root / LOCK).unlink(missing_ok=True)
        lock.release()


def _clear_up(project: LockedProject, observer: Observer) -> None:
    try:
        if recover(project.root):
            observer.note("finished an update that was killed while it wrote the files")
    except OSError as error:
        raise CommandFailed(
            f"cannot finish an update that was killed while it wrote the files: {error.strerror}",
            hint="free disk space or fix the permissions, then: larp requirements update",
        ) from error
    sweep(project.root, tuple(target.path for target in project.targets))
