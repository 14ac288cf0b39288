"""Check that the lock files match ``pyproject.toml`` and each other, without a network."""

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
from larp_cli.requirements.verify import find_mismatches, find_pair_faults, find_private_text
from larp_cli.results import LockFileDiff, LockFinding, RequirementsChecked

if TYPE_CHECKING:
    from larp_cli.observer import Observer
    from larp_cli.requirements.compiler import CompileOptions


def check(
    root: Path, observer: Observer, *, resolve: CompileOptions | None = None
) -> RequirementsChecked:
    """Check the lock files without changing them.

    Args:
        root: The directory of ``pyproject.toml``.
        observer: Gets a message for each phase.
        resolve: Also resolve again with these options, and compare; None only reads.

    Raises:
        ConfigurationError: ``pyproject.toml`` cannot be read.
        CommandFailed: The requirements cannot be resolved.
    """
    project = read_project(root)
    findings = list(_find_faults(project))
    if resolve is not None and not findings:
        findings += _find_outdated(project, observer, resolve)
    return RequirementsChecked(
        project=project.root,
        files=tuple(target.path for target in project.targets),
        findings=tuple(dict.fromkeys(findings)),
        resolved=resolve is not None,
    )


def _find_faults(project: LockedProject) -> Iterator[LockFinding]:
    if is_interrupted(project.root):
        message = "an update was killed while it wrote the files; the next update finishes it"
        yield LockFinding(code="interrupted", message=message)
    parsed: list[LockFile] = []
    for target in project.targets:
        text = _read_text(project.root / target.path)
        if isinstance(text, LockFinding):
            yield replace(text, message=f"{target.path} {text.message}")
            continue
        try:
            locked = lockfile.parse(text)
        except lockfile.UnreadableLockFile as error:
            message = f"{target.path} cannot be read: {error.message}"
            yield LockFinding(code="unreadable", message=message)
            continue
        parsed.append(locked)
        yield from _find_file_faults(target, text, locked)
    if len(parsed) == len(project.targets):
        yield from find_pair_faults(project, *parsed, hashes=None)


def _read_text(path: Path) -> str | LockFinding:
    """Return the text of a file, or what prevents reading it."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return LockFinding(code="missing", message="does not exist")
    except OSError as error:
        return LockFinding(code="unreadable", message=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return LockFinding(code="unreadable", message="cannot be read: it is not UTF-8 text")


def _find_file_faults(target: Target, text: str, locked: LockFile) -> Iterator[LockFinding]:
    if "\r" in text:
        message = f"{target.path} has other line endings than larp writes"
        yield LockFinding(code="line_ends", message=message)
    yield from find_private_text(target, text, ())
    yield from find_mismatches(target, locked)


def _find_outdated(
    project: LockedProject, observer: Observer, options: CompileOptions
) -> Iterator[LockFinding]:
    """Resolve again from the current pins, and list what would change."""
    from larp_cli.requirements.compiler import Compiler
    from larp_cli.requirements.index import PrivateWords
    from larp_cli.requirements.pair import compile_pair
    from larp_cli.requirements.update import compare_files, read_texts

    before = read_texts(project)
    with_hashes = any(" --hash=" in (text or "") for text in before.values())
    options = replace(options, hashes=with_hashes)
    with (
        PrivateWords(project.root) as private,
        closing(Compiler(project, private, options)) as compiler,
    ):
        pair = compile_pair(project, observer, options, compiler, before, inside=None)
    for file in compare_files(project, before, pair.texts):
        yield from _describe_changes(file)


def _describe_changes(file: LockFileDiff) -> Iterator[LockFinding]:
    for change in file.changes:
        yield LockFinding(
            code="outdated",
            message=f"{file.path}: {change.name} would be {change.kind.value}"
            f" ({change.before or 'nothing'} → {change.after or 'nothing'})",
        )
    if file.rewritten and not file.changes:
        message = f"{file.path} would get the same pins with other comments"
        yield LockFinding(code="outdated", message=message)
