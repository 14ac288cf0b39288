"""Compile both lock files, check them, and write both or neither."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from larp_cli.errors import CommandFailed, ConfigurationError, LarpError, Stopped
from larp_cli.requirements.compiler import CompileOptions, Compiler
from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.lockfile import LockFile, UnreadableLockFile, compare_lock_files, parse
from larp_cli.requirements.pair import Pair, compile_pair
from larp_cli.requirements.project import LockedProject, read_project
from larp_cli.requirements.project_lock import lock_project
from larp_cli.requirements.publish import is_interrupted, publish
from larp_cli.requirements.verify import find_pair_faults, find_private_text
from larp_cli.results import LockFileDiff, LockFinding, RequirementsRolledBack, RequirementsUpdated

if TYPE_CHECKING:
    from pathlib import Path

    from larp_cli.observer import Observer
    from larp_cli.requirements.backups import Backups

type Texts = Mapping[str, str | None]
"""The texts of the files by the names of the targets; None if a file does not exist."""


def update(
    root: Path,
    observer: Observer,
    *,
    options: CompileOptions,
    backups: Backups,
    keep: int,
    dry_run: bool,
) -> RequirementsUpdated:
    """Compile both lock files from ``pyproject.toml``.

    Keeps up to ``keep`` backups of the old files, none with 0. ``dry_run`` writes nothing.

    Raises:
        ConfigurationError: ``pyproject.toml`` is invalid, or the project cannot be written.
        Locked: Another update is running.
        CommandFailed: The requirements cannot be resolved, or the result is not valid; the
            files are unchanged.
    """
    began = time.monotonic()
    project = read_project(root)
    if dry_run and is_interrupted(project.root):
        observer.note("an update was killed while it wrote the files; the next update finishes it")
    with nullcontext() if dry_run else lock_project(project, observer):
        if keep > 0 and not dry_run:
            backups.prepare()
        before = read_texts(project)
        inside = None if dry_run else project.root
        pair = _resolve(project, observer, options, before, inside)
        is_written = before != pair.texts and not dry_run
        backup = None
        if is_written:
            observer.started("writing both files")
            backup = _replace_files(project, before, pair.texts, backups, keep)
    return RequirementsUpdated(
        project=project.root,
        backend=options.backend.value,
        order=pair.order,
        files=compare_files(project, before, pair.texts),
        notes=pair.notes,
        written=is_written,
        backup=backup,
        seconds=time.monotonic() - began,
    )


def _resolve(
    project: LockedProject,
    observer: Observer,
    options: CompileOptions,
    before: Texts,
    inside: Path | None,
) -> Pair:
    """Compile both files in a temporary directory below ``inside``, and check them."""
    with (
        PrivateWords(project.root) as private,
        closing(Compiler(project, private, options)) as compiler,
    ):
        pair = compile_pair(project, observer, options, compiler, before, inside=inside)
        _refuse_invalid(project, pair, options, private)
    return pair


def roll_back(
    root: Path, observer: Observer, *, which: str | None, backups: Backups, keep: int
) -> RequirementsRolledBack:
    """Restore the files of a backup, and back up the ones they replace.

    Raises:
        ConfigurationError: There is no such backup, or it contains other files.
        Locked: An update is running.
        CommandFailed: The files cannot be written, and are unchanged.
    """
    project = read_project(root)
    with lock_project(project, observer):
        name, texts = backups.load(which)
        after = _select_files(project, name, texts)
        before = read_texts(project)
        differs = before != after
        way_back = None
        if differs:  # keep at least the backup for undoing this, whatever --keep says
            way_back = _replace_files(project, before, after, backups, max(keep, 2))
    return RequirementsRolledBack(
        project=project.root,
        backup=name,
        files=compare_files(project, before, after),
        written=differs,
        way_back=way_back,
    )


def _select_files(project: LockedProject, backup: str, texts: Texts) -> Texts:
    """Return the texts of a backup by the names of the targets."""
    missing = [str(item.path) for item in project.targets if str(item.path) not in texts]
    if missing:
        raise ConfigurationError(
            f"the backup {backup} contains other files: it has no {missing[0]}",
            hint="larp requirements update",
        )
    return {target.name: texts[str(target.path)] for target in project.targets}


def read_texts(project: LockedProject) -> dict[str, str | None]:
    """Read the current files, by the names of the targets, with their line endings.

    Raises:
        ConfigurationError: A file is not text, or cannot be read.
    """
    return {target.name: _read_text(project.root, target.path) for target in project.targets}


def _read_text(root: Path, path: Path) -> str | None:
    try:
        with (root / path).open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"{path} cannot be read: {reason}",
            hint="move it away, then: larp requirements update",
        ) from error


def compare_files(project: LockedProject, before: Texts, after: Texts) -> tuple[LockFileDiff, ...]:
    """List the changes in each file."""
    return tuple(
        compare_lock_files(
            target,
            _try_parse(before[target.name]),
            _try_parse(after[target.name]),
            rewritten=before[target.name] != after[target.name],
        )
        for target in project.targets
    )


def _replace_files(
    project: LockedProject, before: Texts, after: Texts, backups: Backups, keep: int
) -> str | None:
    """Back up the old files and write the new ones; returns the name of the backup."""
    paths = {target.name: target.path for target in project.targets}
    old = {str(paths[name]): text for name, text in before.items()}
    backup = backups.save(old) if keep > 0 else None
    try:
        contents = {
            paths[name]: None if text is None else text.encode() for name, text in after.items()
        }
        publish(project.root, contents)
    except BaseException as error:
        is_changed = isinstance(error, LarpError | Stopped) and error.changed
        if backup is not None and not is_changed:
            backups.drop(backup)
        raise
    if backup is not None:
        backups.prune(keep)
    return backup


def _refuse_invalid(
    project: LockedProject, pair: Pair, options: CompileOptions, private: PrivateWords
) -> None:
    findings: list[LockFinding] = []
    for target in project.targets:
        findings += find_private_text(target, pair.texts[target.name], private.list_words())
    findings += find_pair_faults(project, *pair.parsed, hashes=options.hashes)
    if findings:
        messages = list(dict.fromkeys(finding.message for finding in findings))
        raise CommandFailed(
            f"the resolved files are not valid, and nothing was changed: {'; '.join(messages[:5])}",
            hint="check whether pyproject.toml refers to a path or a URL",
        )


def _try_parse(text: str | None) -> LockFile | None:
    try:
        return None if text is None else parse(text)
    except UnreadableLockFile:
        return None
