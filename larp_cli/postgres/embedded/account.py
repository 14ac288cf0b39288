"""The account for the server, because PostgreSQL refuses to run as root."""

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
    """Keyword arguments of ``subprocess.Popen`` that drop root's privileges."""

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
        """Return whether the mode of ``directory`` lets the account pass through it."""
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account(*directories: Path) -> Account | None:
    """Choose the account for the server; None if this process is not root.

    It is the owner of the first of ``directories`` that exists and does not belong to root, so
    that ``sudo larp`` leaves no files that the owner cannot use. Otherwise it is an
    unprivileged system account. larp never creates accounts.

    Raises:
        ConfigurationError: The system has no such account.
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
    """Return the options that make ``subprocess.Popen`` run a program as ``account``."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def give(path: Path, account: Account | None) -> None:
    """Make ``account`` the owner of ``path``, without following a symbolic link."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def blocking(directory: Path, account: Account) -> list[Path]:
    """List the directories on the way to ``directory`` that ``account`` cannot enter."""
    return [
        step for step in (*reversed(directory.parents), directory) if not account.may_enter(step)
    ]


def open_the_way(directory: Path, account: Account, observer: Observer) -> None:
    """Let ``account`` pass through the parents of ``directory``, without reading them.

    Raises:
        ConfigurationError: A parent does not belong to root, or cannot be changed.
    """
    for step in blocking(directory, account):
        status = step.stat()
        try:
            if status.st_uid != 0:
                raise PermissionError(f"{step} belongs to {_name(status.st_uid)}")
            step.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        except OSError as error:
            raise ConfigurationError(
                f"the account '{account.name}', which runs PostgreSQL, cannot enter {step}",
                hint=f"chmod o+x {shlex.quote(str(step))}",
            ) from error
        observer.note(
            f"added o+x to {step}, so that the account '{account.name}', which runs PostgreSQL, "
            "can pass through it"
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
