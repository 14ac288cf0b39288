"""The account that the server runs as: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from larp_cli.errors import ConfigurationError
from larp_cli.observer import Observer

UNPRIVILEGED = ("postgres", "nobody")


class ProcessOptions(TypedDict, total=False):
    """Keyword arguments of ``subprocess.Popen`` that give root's rights away."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int

    def may_enter(self, directory: Path) -> bool:
        """Tell whether the mode of ``directory`` lets the account pass through it."""
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account(*directories: Path) -> Account | None:
    """Choose who runs the server; None means ourselves, as we are not root.

    It is the owner of the first of ``directories`` that exists and is not root's, so
    that ``sudo larp`` leaves nothing behind that its owner cannot use. Otherwise it is
    an account that the system has for this. Accounts are never created.

    Raises:
        ConfigurationError: the system has no such account.
    """
    if os.geteuid() != 0:
        return None
    for directory in directories:
        if directory.exists() and (status := directory.stat()).st_uid != 0:
            return Account(name=_name(status.st_uid), uid=status.st_uid, gid=status.st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody'",
        hint="run larp as an ordinary user, or set DATABASE_URL",
    )


def process_options(account: Account | None) -> ProcessOptions:
    """Return what makes ``subprocess.Popen`` run a program as ``account``."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def give(path: Path, account: Account | None) -> None:
    """Make ``account`` the owner of ``path``, without following a link it may have put there."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def blocking(directory: Path, account: Account) -> list[Path]:
    """Return which of ``directory`` and its ancestors keep ``account`` out, outermost first."""
    return [
        step for step in (*reversed(directory.parents), directory) if not account.may_enter(step)
    ]


def open_the_way(directory: Path, account: Account, observer: Observer) -> None:
    """Let ``account`` pass (not read) through to ``directory``, where root may decide that.

    Raises:
        ConfigurationError: a directory on the way is not root's, or cannot be changed.
    """
    for step in blocking(directory, account):
        status = step.stat()
        try:
            if status.st_uid != 0:
                raise PermissionError(f"{step} belongs to {_name(status.st_uid)}")
            step.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        except OSError as error:
            raise ConfigurationError(
                f"the account '{account.name}', which runs PostgreSQL, cannot pass {step}",
                hint=f"chmod o+x {shlex.quote(str(step))}",
            ) from error
        observer.note(
            f"added o+x to {step}: the account '{account.name}', which runs PostgreSQL, "
            "has to pass through it"
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
