"""Compile both lock files, check them, and publish both or neither."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from larp_cli.errors import CommandFailed, ConfigurationError
from larp_cli.requirements.compiler import CompileOptions, Compiler
from larp_cli.requirements.exclusive import exclusive
from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.lockfile import LockFile, Unreadable, difference, parse
from larp_cli.requirements.pair import Pair, compile_pair
from larp_cli.requirements.project import LockedProject, read_project
from larp_cli.requirements.publish import is_interrupted, publish
from larp_cli.requirements.verify import pair_findings, text_findings
from larp_cli.results import LockFileDiff, LockFinding, RequirementsRolledBack, RequirementsUpdated

if TYPE_CHECKING:
    from pathlib import Path

    from larp_cli.observer import Observer
    from larp_cli.requirements.backups import Backups

type Texts = Mapping[str, str | None]
"""The files by the names of the targets; None where there is none."""


def update(
    root: Path,
    observer: Observer,
    *,
    options: CompileOptions,
    backups: Backups,
    keep: int,
    dry_run: bool,
) -> RequirementsUpdated:
    """Bring both lock files up to what ``pyproject.toml`` asks for.

    Up to ``keep`` backups of the old files are kept, none with 0. ``dry_run`` writes nothing.

    Raises:
        ConfigurationError: ``pyproject.toml`` is wrong, or nothing can be written.
        Locked: Another update is at work.
        CommandFailed: It cannot be resolved, or what was resolved breaks an invariant; the
            files are as they were.
    """
    began = time.monotonic()
    project = read_project(root)
    if dry_run and is_interrupted(project.root):
        observer.note("an update was killed while it wrote the files; the next update finishes it")
    with nullcontext() if dry_run else exclusive(project, observer):
        if keep > 0 and not dry_run:
            backups.prepare()
        before = old_texts(project)
        inside = None if dry_run else project.root
        pair = _resolve(project, observer, options, before, inside)
        is_written = before != pair.texts and not dry_run
        backup = None
        if is_written:
            observer.started("writing both files")
            backup = _put(project, before, pair.texts, backups, keep)
    return RequirementsUpdated(
        project=project.root,
        backend=options.backend.value,
        order=pair.order,
        files=differences(project, before, pair.texts),
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
    """Resolve both files, in a directory ``inside`` or in the system's place for such."""
    with (
        PrivateWords(project.root) as private,
        closing(Compiler(project, private, options)) as compiler,
    ):
        pair = compile_pair(project, observer, options, compiler, before, inside=inside)
        _require_sound(project, pair, options, private)
    return pair


def roll_back(
    root: Path, observer: Observer, *, which: str | None, backups: Backups, keep: int
) -> RequirementsRolledBack:
    """Put the files of a backup back; what is replaced becomes a backup itself.

    Raises:
        ConfigurationError: There is no such backup, or it is of other files.
        Locked: An update is at work.
        CommandFailed: They cannot be written, and are as they were.
    """
    project = read_project(root)
    with exclusive(project, observer):
        name, texts = backups.load(which)
        other = [path for target in project.targets if (path := str(target.path)) not in texts]
        if other:
            raise ConfigurationError(
                f"the backup {name} contains other files: it has no {other[0]}",
                hint="larp requirements update",
            )
        before = old_texts(project)
        after = {target.name: texts[str(target.path)] for target in project.targets}
        differs = before != after
        way_back = None
        if differs:  # one is kept for the way back, whatever --keep says
            way_back = _put(project, before, after, backups, max(keep, 2))
    return RequirementsRolledBack(
        project=project.root,
        backup=name,
        files=differences(project, before, after),
        written=differs,
        way_back=way_back,
    )


def old_texts(project: LockedProject) -> dict[str, str | None]:
    """Read the files as they are, by the names of the targets, with their own line ends.

    Raises:
        ConfigurationError: One of them is not text, or cannot be read.
    """
    texts: dict[str, str | None] = {}
    for target in project.targets:
        try:
            with (project.root / target.path).open(encoding="utf-8", newline="") as file:
                texts[target.name] = file.read()
        except FileNotFoundError:
            texts[target.name] = None
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(
                f"{target.path} cannot be read: {why}",
                hint="move it away, then: larp requirements update",
            ) from error
    return texts


def differences(project: LockedProject, before: Texts, after: Texts) -> tuple[LockFileDiff, ...]:
    """Say what is different in each file."""
    return tuple(
        difference(
            target,
            _parsed(before[target.name]),
            _parsed(after[target.name]),
            rewritten=before[target.name] != after[target.name],
        )
        for target in project.targets
    )


def _put(
    project: LockedProject, before: Texts, after: Texts, backups: Backups, keep: int
) -> str | None:
    """Publish the texts; returns the backup of those that were there."""
    paths = {target.name: target.path for target in project.targets}
    old = {str(paths[name]): text for name, text in before.items()}
    backup = backups.save(old) if keep > 0 else None
    try:
        contents = {
            paths[name]: None if text is None else text.encode() for name, text in after.items()
        }
        publish(project.root, contents)
    except BaseException as error:
        if backup is not None and not getattr(error, "changed", False):
            backups.drop(backup)
        raise
    if backup is not None:
        backups.prune(keep)
    return backup


def _require_sound(
    project: LockedProject, pair: Pair, options: CompileOptions, private: PrivateWords
) -> None:
    findings: list[LockFinding] = []
    for target in project.targets:
        findings += text_findings(target, pair.texts[target.name], private.words())
    findings += pair_findings(project, *pair.parsed, hashes=options.hashes)
    if findings:
        told = "; ".join(list(dict.fromkeys(finding.message for finding in findings))[:5])
        raise CommandFailed(
            f"the resolved files are not valid, and nothing was changed: {told}",
            hint="check whether pyproject.toml refers to a path or a URL",
        )


def _parsed(text: str | None) -> LockFile | None:
    try:
        return None if text is None else parse(text)
    except Unreadable:
        return None
