"""Whether the lock files fit ``pyproject.toml`` and each other: quick, and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.requirements import lockfile
from larp_cli.requirements.lockfile import LockFile
from larp_cli.requirements.project import LockedProject, read_project
from larp_cli.requirements.publish import is_interrupted
from larp_cli.requirements.verify import pair_findings, text_findings, wanted_findings
from larp_cli.results import LockFinding, RequirementsChecked

if TYPE_CHECKING:
    from larp_cli.observer import Observer
    from larp_cli.requirements.compiler import CompileOptions


def check(
    root: Path, observer: Observer, *, resolve: CompileOptions | None = None
) -> RequirementsChecked:
    """Look, and change nothing.

    Args:
        root: The directory of ``pyproject.toml``.
        observer: Told of every phase.
        resolve: Also resolve anew, in this way, and compare; None only reads.

    Raises:
        ConfigurationError: ``pyproject.toml`` cannot be read.
        CommandFailed: It cannot be resolved.
    """
    project = read_project(root)
    findings = list(_findings(project))
    if resolve is not None and not findings:
        findings += _outdated(project, observer, resolve)
    return RequirementsChecked(
        project=project.root,
        files=tuple(target.path for target in project.targets),
        findings=tuple(dict.fromkeys(findings)),
        resolved=resolve is not None,
    )


def _findings(project: LockedProject) -> Iterator[LockFinding]:
    if is_interrupted(project.root):
        message = "an update was killed while it published; the next one finishes it"
        yield LockFinding(code="interrupted", message=message)
    read: list[LockFile] = []
    for target in project.targets:
        try:
            locked = lockfile.read(project.root / target.path)
        except lockfile.Unreadable as error:
            message = f"{target.path} cannot be read: {error.message}"
            yield LockFinding(code="unreadable", message=message)
            continue
        if locked is None:
            yield LockFinding(code="missing", message=f"there is no {target.path}")
            continue
        read.append(locked)
        text = (project.root / target.path).read_text(encoding="utf-8")
        yield from text_findings(target, text, ())
        yield from wanted_findings(target, locked)
    if len(read) == len(project.targets):
        yield from pair_findings(project, *read, hashes=None)


def _outdated(
    project: LockedProject, observer: Observer, options: CompileOptions
) -> Iterator[LockFinding]:
    """Resolve anew with the pins that there are, and say what would change."""
    from larp_cli.requirements.index import PrivateWords
    from larp_cli.requirements.update import compile_pair, old_texts

    before = old_texts(project)
    with PrivateWords() as private:
        compiled = compile_pair(project, observer, options, private, before)
    for target, parsed in zip(project.targets, compiled.parsed, strict=True):
        old = lockfile.read(project.root / target.path)
        for change in lockfile.difference(target, old, parsed).changes:
            yield LockFinding(
                code="outdated",
                message=f"{target.path}: {change.name} would be {change.kind.value}"
                f" ({change.before or 'nothing'} → {change.after or 'nothing'})",
            )
