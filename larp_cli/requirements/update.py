"""Compiling both lock files, holding them to their invariants, publishing both or neither."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from larp_cli.errors import CommandFailed, ConfigurationError, Locked
from larp_cli.requirements import lockfile
from larp_cli.requirements.compiler import CompileFailed, CompileOptions, Compiler
from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.lockfile import FINGERPRINT, LockFile, difference, parse
from larp_cli.requirements.project import LockedProject, Target, read_project
from larp_cli.requirements.publish import publish, recover, sweep
from larp_cli.requirements.verify import pair_findings, text_findings
from larp_cli.results import RequirementsRolledBack, RequirementsUpdated

if TYPE_CHECKING:
    from larp_cli.observer import Observer
    from larp_cli.requirements.backups import Backups

LOCK = ".larp-requirements.lock"
DEV_FIRST, MAIN_FIRST = "dev first", "main first"
MOST_VANISHED = 20
"""Pins that may have vanished from the index before all of them are given up."""


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

    Args:
        root: The directory of ``pyproject.toml``.
        observer: Told of every phase.
        options: Who resolves, and how much may change.
        backups: Where the old files are kept.
        keep: How many backups are kept; 0 makes none.
        dry_run: Whether to say what would change, and write nothing.

    Raises:
        ConfigurationError: ``pyproject.toml`` is wrong, or nothing can be written.
        Locked: Another update is at work.
        CommandFailed: It cannot be resolved, or what was resolved breaks an invariant; the
            files are as they were.
    """
    began = time.monotonic()
    project = read_project(root)
    with exclusive(project, observer, dry_run=dry_run):
        if keep > 0 and not dry_run:
            backups.prepare()
        before = old_texts(project)
        with PrivateWords() as private:
            compiled = compile_pair(project, observer, options, private, before)
            _require_sound(project, compiled, options, private)
        diffs = tuple(
            difference(target, _parsed_or_none(before[target.name]), parsed)
            for target, parsed in zip(project.targets, compiled.parsed, strict=True)
        )
        differs = any(before[name] != text for name, text in compiled.texts.items())
        backup = None
        if differs and not dry_run:
            backup = backups.save(_by_path(project, before), keep=keep)
            observer.started("publishing both files")
            publish(project.root, {t.path: compiled.texts[t.name] for t in project.targets})
    return RequirementsUpdated(
        project=project.root,
        backend=options.backend.value,
        order=compiled.order,
        files=diffs,
        notes=tuple(compiled.notes),
        written=differs and not dry_run,
        backup=backup,
        seconds=time.monotonic() - began,
    )


def roll_back(
    root: Path, observer: Observer, *, which: str | None, backups: Backups, keep: int
) -> RequirementsRolledBack:
    """Put the files of a backup back; what is replaced becomes a backup itself.

    Raises:
        ConfigurationError: There is no such backup, or it is of other files.
        Locked: An update is at work.
    """
    project = read_project(root)
    with exclusive(project, observer, dry_run=False):
        name, texts = backups.load(which)
        wanted = {target.path: texts.get(str(target.path)) for target in project.targets}
        missing = [path for path, text in wanted.items() if text is None]
        if missing:
            raise ConfigurationError(
                f"the backup {name} has no {missing[0]}", hint="larp requirements update"
            )
        before = old_texts(project)
        diffs = tuple(
            difference(
                target, _parsed_or_none(before[target.name]), parse(wanted[target.path] or "")
            )
            for target in project.targets
        )
        differs = any(before[target.name] != wanted[target.path] for target in project.targets)
        way_back = None
        if differs:
            way_back = backups.save(_by_path(project, before), keep=max(keep, 2)) or "none"
            publish(project.root, {path: text or "" for path, text in wanted.items()})
    return RequirementsRolledBack(project=project.root, backup=name, files=diffs, way_back=way_back)


@contextmanager
def exclusive(project: LockedProject, observer: Observer, *, dry_run: bool) -> Iterator[None]:
    """Be the only one at work in the project, and clear up after one that was killed.

    Raises:
        Locked: Somebody else is.
        ConfigurationError: Nothing can be written there.
    """
    lock = FileLock(project.root / LOCK, timeout=0, mode=0o644)
    try:
        lock.acquire()
    except Timeout as error:
        raise Locked(
            f"another update is at work in {project.root}",
            hint="wait for it to end, then: larp requirements update",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"nothing can be written in {project.root}: {error.strerror}",
            hint="see who may write there; larp requirements check only reads",
        ) from error
    try:
        if recover(project.root):
            observer.note("an update that was killed while it published has been finished")
        if not dry_run:
            sweep(project.root, tuple(target.path for target in project.targets))
        yield
    finally:
        (project.root / LOCK).unlink(missing_ok=True)
        lock.release()


def old_texts(project: LockedProject) -> dict[str, str | None]:
    """Read the files as they are, by the names of the targets.

    Raises:
        ConfigurationError: One of them is no text, or cannot be read.
    """
    texts: dict[str, str | None] = {}
    for target in project.targets:
        try:
            texts[target.name] = (project.root / target.path).read_text(encoding="utf-8")
        except FileNotFoundError:
            texts[target.name] = None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{target.path} cannot be read: {error}",
                hint=f"move it away, then: larp requirements update ({target.path})",
            ) from error
    return texts


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pair that was resolved, and is not yet published."""

    main: str
    dev: str
    order: str
    notes: list[str]

    @property
    def texts(self) -> dict[str, str]:
        """The texts by the names of the targets."""
        return {"main": self.main, "dev": self.dev}

    @property
    def parsed(self) -> tuple[LockFile, LockFile]:
        """Both, read."""
        return parse(self.main), parse(self.dev)


def compile_pair(
    project: LockedProject,
    observer: Observer,
    options: CompileOptions,
    private: PrivateWords,
    seeds: Mapping[str, str | None],
) -> Compiled:
    """Resolve both files: dev first, and main first where only that has a solution.

    Raises:
        CompileFailed: Neither order has.
    """
    with tempfile.TemporaryDirectory(prefix="larp-requirements-") as directory:
        compiler = Compiler(project.root, Path(directory), private, options)
        work = _Pair(project, compiler, observer, seeds, directory)
        try:
            dev = work.compile(project.dev, None)
            main = work.compile(project.main, dev)
            return Compiled(main, dev, DEV_FIRST, work.notes)
        except CompileFailed as failure:
            if not failure.may_be_cured:
                raise
            work.notes.append(f"dev first has no solution: {failure.message}")
            observer.note(f"{failure.message}; trying main first")
            try:
                main = work.compile(project.main, None)
                dev = work.compile(project.dev, main)
            except CompileFailed as again:
                raise failure from again
            return Compiled(main, dev, MAIN_FIRST, work.notes)


class _Pair:
    """Compiles one file after another, and helps itself where a seed has vanished."""

    def __init__(
        self,
        project: LockedProject,
        compiler: Compiler,
        observer: Observer,
        seeds: Mapping[str, str | None],
        directory: str,
    ) -> None:
        self._project = project
        self._compiler = compiler
        self._observer = observer
        self._seeds = dict(seeds)
        self._directory = directory
        self.notes: list[str] = []

    def compile(self, target: Target, other: str | None) -> str:
        """Compile one file, with the pins of the other one as constraints."""
        constraints = parse(other).constraints if other is not None else None
        began = time.monotonic()
        self._observer.started(f"compiling {target.path}")
        for _ in range(MOST_VANISHED):
            seed = self._seeds[target.name]
            try:
                text = self._compiler.compile(target, seed=seed, constraints=constraints)
                break
            except CompileFailed as failure:
                if seed is None or failure.vanished is None:
                    raise
                self._forget(target, failure.vanished)
        else:
            self._seeds[target.name] = None
            text = self._compiler.compile(target, seed=None, constraints=constraints)
        self._observer.finished(f"compiled {target.path} in {time.monotonic() - began:.1f} s")
        return self._finished(target, text)

    def _forget(self, target: Target, name: str) -> None:
        """Take a pin out of the seed: the index has that version no more."""
        seed = self._seeds[target.name] or ""
        blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", seed)
        kept = [block for block in blocks if not block.lower().startswith(f"{name.lower()}==")]
        self._seeds[target.name] = "".join(kept) if len(kept) < len(blocks) else None
        note = f"the pin of {name} in {target.path} exists no more, and is chosen anew"
        self.notes.append(note)
        self._observer.note(note)

    def _finished(self, target: Target, text: str) -> str:
        """Take our directory out of the annotations, and put the fingerprint in."""
        place = rf"\S*{re.escape(Path(self._directory).name)}/(?:constraints/)?\S+"
        other = self._project.main if target is self._project.dev else self._project.dev
        text = re.sub(rf"(#\s+(?:via )?-c ){place}", rf"\g<1>{other.path}", text)
        if target.fingerprint is None:
            return text
        lines = text.splitlines(keepends=True)
        header = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        return "".join([*lines[:header], f"{FINGERPRINT}{target.fingerprint}\n", *lines[header:]])


def _require_sound(
    project: LockedProject, compiled: Compiled, options: CompileOptions, private: PrivateWords
) -> None:
    main, dev = compiled.parsed
    findings = list(pair_findings(project, main, dev, hashes=options.hashes))
    for target in project.targets:
        findings += text_findings(target, compiled.texts[target.name], private.words())
    if findings:
        told = "; ".join(dict.fromkeys(finding.message for finding in findings[:5]))
        raise CommandFailed(
            f"what was resolved is not fit to be published, and nothing was changed: {told}",
            hint="see whether pyproject.toml refers to a path, a URL or to itself",
        )


def _parsed_or_none(text: str | None) -> LockFile | None:
    try:
        return None if text is None else parse(text)
    except lockfile.Unreadable:
        return None


def _by_path(project: LockedProject, texts: Mapping[str, str | None]) -> dict[str, str | None]:
    return {str(target.path): texts[target.name] for target in project.targets}


def without_upgrades(options: CompileOptions) -> CompileOptions:
    """Return options under which nothing changes that need not."""
    return replace(options, upgrade=False, upgrade_packages=())
