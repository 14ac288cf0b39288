"""Whether the lock files fit ``pyproject.toml`` and each other: quick, and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.requirements import lockfile
from larp_cli.requirements.lockfile import LockFile
from larp_cli.requirements.project import LockedProject, Target, read_project
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
        resolve: Also resolve again, in this way, and compare; None only reads.

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
        message = "an update was killed while it wrote the files; the next update finishes it"
        yield LockFinding(code="interrupted", message=message)
    read: list[LockFile] = []
    for target in project.targets:
        text = _text(project.root / target.path)
        if isinstance(text, LockFinding):
            yield replace(text, message=f"{target.path} {text.message}")
            continue
        try:
            locked = lockfile.parse(text)
        except lockfile.Unreadable as error:
            message = f"{target.path} cannot be read: {error.message}"
            yield LockFinding(code="unreadable", message=message)
            continue
        read.append(locked)
        yield from _file_findings(target, text, locked)
    if len(read) == len(project.targets):
        yield from pair_findings(project, *read, hashes=None)


def _text(path: Path) -> str | LockFinding:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return LockFinding(code="missing", message="does not exist")
    except OSError as error:
        return LockFinding(code="unreadable", message=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return LockFinding(code="unreadable", message="cannot be read: it is not UTF-8 text")


def _file_findings(target: Target, text: str, locked: LockFile) -> Iterator[LockFinding]:
    if "\r" in text:
        message = f"{target.path} has other line endings than larp writes"
        yield LockFinding(code="line_ends", message=message)
    yield from text_findings(target, text, ())
    yield from wanted_findings(target, locked)


def _outdated(
    project: LockedProject, observer: Observer, options: CompileOptions
) -> Iterator[LockFinding]:
    """Resolve again with the present pins, and list what would change."""
    from larp_cli.requirements.compiler import Compiler
    from larp_cli.requirements.index import PrivateWords
    from larp_cli.requirements.pair import compile_pair
    from larp_cli.requirements.update import differences, old_texts

    before = old_texts(project)
    with_hashes = any(" --hash=" in (text or "") for text in before.values())
    options = replace(options, hashes=with_hashes)
    with (
        PrivateWords(project.root) as private,
        closing(Compiler(project, private, options)) as compiler,
    ):
        pair = compile_pair(project, observer, options, compiler, before, inside=None)
    for file in differences(project, before, pair.texts):
        for change in file.changes:
            yield LockFinding(
                code="outdated",
                message=f"{file.path}: {change.name} would be {change.kind.value}"
                f" ({change.before or 'nothing'} → {change.after or 'nothing'})",
            )
        if file.rewritten and not file.changes:
            message = f"{file.path} would get the same pins with other comments"
            yield LockFinding(code="outdated", message=message)
