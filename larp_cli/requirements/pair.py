"""Compiling the two files so that they fit: one first, the other within its pins."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from larp_cli.errors import CommandFailed, UsageError
from larp_cli.requirements import lockfile
from larp_cli.requirements.compiler import CompileFailed, CompileOptions, Job, without
from larp_cli.requirements.explain import FailureKind
from larp_cli.requirements.lockfile import LockFile, parse
from larp_cli.requirements.project import LockedProject, Target
from larp_cli.requirements.publish import WORKSPACE

if TYPE_CHECKING:
    from larp_cli.observer import Observer

DEV_FIRST, MAIN_FIRST = "dev first", "main first"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both files, resolved and not yet published."""

    main: str
    dev: str
    order: str
    notes: tuple[str, ...]

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
    compiler: Compiles,
    before: Mapping[str, str | None],
    *,
    inside: Path | None,
) -> Pair:
    """Resolve both files: dev first, and main first where only that has a solution.

    Args:
        project: Whose files.
        observer: Told of every phase.
        options: How much may change.
        compiler: Who resolves.
        before: The texts of the old files, by the names of the targets.
        inside: Where the directory is made in which they are compiled; None for the
            system's place for such.

    Raises:
        CompileFailed: Neither order has a solution.
        CommandFailed: Nothing can be written.
        UsageError: A package to upgrade is not a requirement.
    """
    upgraded = _names(options.upgrade_packages)
    with _workspace(inside) as workspace:
        work = PairCompiler(project, compiler, observer, options, before, workspace)
        try:
            pair = work.compile_both()
        except OSError as error:
            raise CommandFailed(
                f"cannot compile, and changed nothing: {error.strerror}",
                hint="free disk space or fix the permissions, then: larp requirements update",
            ) from error
    unknown = upgraded - parse(pair.dev).pins.keys()
    notes = [f"{name} is not in the lock files, so it was not upgraded" for name in sorted(unknown)]
    return replace(pair, notes=(*pair.notes, *notes))


@contextmanager
def _workspace(inside: Path | None) -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix=WORKSPACE, dir=inside, ignore_cleanup_errors=True)
    except OSError as error:
        raise CommandFailed(
            f"cannot create a temporary directory: {error.strerror}",
            hint="free disk space, or set TMPDIR",
        ) from error
    with made as directory:
        yield Path(directory)


class Compiles(Protocol):
    """Compiles one file."""

    def compile(self, job: Job, workspace: Path) -> str:
        """Return its text.

        Raises:
            CompileFailed: It cannot be resolved.
        """


class PairCompiler:
    """Compiles one file after another, and helps itself where old pins stand in the way."""

    def __init__(
        self,
        project: LockedProject,
        compiler: Compiles,
        observer: Observer,
        options: CompileOptions,
        before: Mapping[str, str | None],
        workspace: Path,
    ) -> None:
        self._project = project
        self._workspace = workspace
        self._compiler = compiler
        self._observer = observer
        self._options = options
        self._seeds = {
            target.name: () if options.upgrade else lockfile.salvage_pins(before[target.name] or "")
            for target in project.targets
        }
        self._notes: list[str] = []

    def compile_both(self) -> Pair:
        """Compile dev first, then main; the other way round where only that can succeed."""
        main, dev = self._project.targets
        try:
            dev_text, main_text = self._in_order(dev, main)
            return Pair(main_text, dev_text, DEV_FIRST, tuple(self._notes))
        except CompileFailed as failure:
            if not failure.may_be_cured:
                raise
            self._observer.note(f"{failure.message}; trying main first")
            self._notes = [f"dev first has no solution: {failure.message}"]
            try:
                main_text, dev_text = self._in_order(main, dev)
            except CompileFailed as again:
                raise failure from again
            return Pair(main_text, dev_text, MAIN_FIRST, tuple(self._notes))

    def _in_order(self, first: Target, second: Target) -> tuple[str, str]:
        packages = self._options.upgrade_packages
        seed = self._seeds[first.name]
        text = self._compile(Job(target=first, seed=seed, upgrade_packages=packages))
        pinned = parse(text)
        # Its pins come with their hashes, which need not be fetched a second time.
        pins = tuple(pinned.pins.values())
        old = without(self._seeds[second.name], pinned.pins)
        job = Job(
            target=second,
            seed=(*pins, *old),
            constraints=pinned.constraints,
            constrained_by=first.path,
            upgrade_packages=tuple(p for p in packages if not _names((p,)) & pinned.pins.keys()),
        )
        return text, self._compile(job)

    def _compile(self, job: Job) -> str:
        path = job.target.path
        began = time.monotonic()
        self._observer.started(f"compiling {path}")
        text = self._with_fewer_pins(job)
        self._observer.finished(f"compiled {path} in {time.monotonic() - began:.1f} s")
        self._tell_what_was_not_kept(job, parse(text))
        return lockfile.add_fingerprints(text, job.target.fingerprint)

    def _with_fewer_pins(self, job: Job) -> str:
        """Compile; without the old pins where these, which need not hold, stand in the way."""
        try:
            return self._compiler.compile(job, self._workspace)
        except CompileFailed as failure:
            fewer = without(job.seed, failure.failure.names)
            if not _may_be_old(failure, job):
                raise
            if 0 < len(fewer) < len(job.seed):
                try:
                    return self._compiler.compile(replace(job, seed=fewer), self._workspace)
                except CompileFailed as again:
                    if not _may_be_old(again, job):
                        raise
        return self._compiler.compile(replace(job, seed=()), self._workspace)

    def _tell_what_was_not_kept(self, job: Job, compiled: LockFile) -> None:
        upgraded = _names(job.upgrade_packages)
        for pin in without(job.seed, upgraded):
            new = compiled.pins.get(pin.name)
            if new is not None and new.version != pin.version:
                note = f"{pin.name} {pin.version} in {job.target.path} could not be kept"
                self._notes.append(f"{note}; it is now {new.version}")
                self._observer.note(self._notes[-1])


def _may_be_old(failure: CompileFailed, job: Job) -> bool:
    """Whether it may be for an old pin that compiling failed."""
    told = failure.failure
    if told.kind is FailureKind.MISSING:
        return any(f"{pin.name}=={pin.version}" in told.message for pin in job.seed)
    return told.kind is FailureKind.CONFLICT and bool(job.seed)


def _names(packages: tuple[str, ...]) -> set[str]:
    """Read what ``--upgrade-package`` names.

    Raises:
        UsageError: It names nothing.
    """
    try:
        return {str(canonicalize_name(Requirement(package).name)) for package in packages}
    except InvalidRequirement as error:
        raise UsageError(
            f"--upgrade-package takes package names, not {', '.join(packages)}",
            hint="larp requirements update --upgrade-package NAME",
        ) from error
