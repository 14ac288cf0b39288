"""Compile the two files with the same pins: one first, the other within its pins."""

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
from larp_cli.requirements.compiler import CompileFailed, CompileOptions, Job, exclude_pins
from larp_cli.requirements.explain import FailureKind
from larp_cli.requirements.lockfile import LockFile, parse
from larp_cli.requirements.project import LockedProject, Target
from larp_cli.requirements.publish import WORKSPACE

if TYPE_CHECKING:
    from larp_cli.observer import Observer

DEV_FIRST, MAIN_FIRST = "dev first", "main first"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both files, resolved and not yet written to the project."""

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
        """The main and the development file, parsed."""
        return parse(self.main), parse(self.dev)


class FileCompiler(Protocol):
    """Compiles one file."""

    def compile(self, job: Job, workspace: Path) -> str:
        """Return the text of the file.

        Raises:
            CompileFailed: The requirements cannot be resolved.
        """


def compile_pair(
    project: LockedProject,
    observer: Observer,
    options: CompileOptions,
    compiler: FileCompiler,
    before: Mapping[str, str | None],
    *,
    inside: Path | None,
) -> Pair:
    """Resolve both files: dev first, or main first if only that has a solution.

    Args:
        project: The project of the files.
        observer: Gets a message for each phase.
        options: What may change.
        compiler: Runs the resolver.
        before: The texts of the old files, by the names of the targets.
        inside: Parent of the temporary directory; None for the system's default.

    Raises:
        CompileFailed: Neither order has a solution.
        CommandFailed: Temporary files cannot be written.
        UsageError: A package to upgrade is not a package name.
    """
    upgraded = _parse_names(options.upgrade_packages)
    with _make_workspace(inside) as workspace:
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
def _make_workspace(inside: Path | None) -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix=WORKSPACE, dir=inside, ignore_cleanup_errors=True)
    except OSError as error:
        raise CommandFailed(
            f"cannot create a temporary directory: {error.strerror}",
            hint="free disk space, or set TMPDIR",
        ) from error
    with made as directory:
        yield Path(directory)


class PairCompiler:
    """Compiles one file after the other, and drops old pins that prevent a solution."""

    def __init__(
        self,
        project: LockedProject,
        compiler: FileCompiler,
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
        """Compile dev first, then main; or main first if only that can succeed."""
        main, dev = self._project.targets
        try:
            dev_text, main_text = self._compile_in_order(dev, main)
            return Pair(main_text, dev_text, DEV_FIRST, tuple(self._notes))
        except CompileFailed as failure:
            if not failure.depends_on_order:
                raise
            return self._compile_main_first(failure)

    def _compile_main_first(self, failure: CompileFailed) -> Pair:
        """Compile main, then dev within its pins; raises the first failure if this fails too."""
        main, dev = self._project.targets
        self._observer.note(f"{failure.message}; trying main first")
        self._notes = [f"dev first has no solution: {failure.message}"]
        try:
            main_text, dev_text = self._compile_in_order(main, dev)
        except CompileFailed as again:
            raise failure from again
        return Pair(main_text, dev_text, MAIN_FIRST, tuple(self._notes))

    def _compile_in_order(self, first: Target, second: Target) -> tuple[str, str]:
        packages = self._options.upgrade_packages
        seed = self._seeds[first.name]
        text = self._compile(Job(target=first, seed=seed, upgrade_packages=packages))
        return text, self._compile(self._constrain(second, first, parse(text)))

    def _constrain(self, second: Target, first: Target, pinned: LockFile) -> Job:
        """Describe the second file, which has to keep the pins of the first."""
        packages = self._options.upgrade_packages
        # The seed has the hashes of these pins, so that pip-tools need not fetch them again.
        old = exclude_pins(self._seeds[second.name], pinned.pins)
        return Job(
            target=second,
            seed=(*pinned.pins.values(), *old),
            constraints=pinned.constraints,
            constrained_by=first.path,
            upgrade_packages=tuple(
                package for package in packages if not _parse_names((package,)) & pinned.pins.keys()
            ),
        )

    def _compile(self, job: Job) -> str:
        path = job.target.path
        began = time.monotonic()
        self._observer.started(f"compiling {path}")
        text = self._compile_with_fewer_pins(job)
        self._observer.finished(f"compiled {path} in {time.monotonic() - began:.1f} s")
        self._note_dropped_pins(job, parse(text))
        return lockfile.add_fingerprints(text, job.target.fingerprint)

    def _compile_with_fewer_pins(self, job: Job) -> str:
        """Compile; if an old pin prevents it, without the pins in conflict, then without any."""
        try:
            return self._compiler.compile(job, self._workspace)
        except CompileFailed as failure:
            if not _may_be_an_old_pin(failure, job):
                raise
            fewer = exclude_pins(job.seed, failure.failure.names)
        if 0 < len(fewer) < len(job.seed):
            try:
                return self._compiler.compile(replace(job, seed=fewer), self._workspace)
            except CompileFailed as failure:
                if not _may_be_an_old_pin(failure, job):
                    raise
        return self._compiler.compile(replace(job, seed=()), self._workspace)

    def _note_dropped_pins(self, job: Job, compiled: LockFile) -> None:
        """Report old pins that changed although nobody asked for it."""
        for pin in exclude_pins(job.seed, _parse_names(job.upgrade_packages)):
            new = compiled.pins.get(pin.name)
            if new is not None and new.version != pin.version:
                note = f"{pin.name} {pin.version} in {job.target.path} could not be kept"
                self._notes.append(f"{note}; it is now {new.version}")
                self._observer.note(self._notes[-1])


def _may_be_an_old_pin(compile_failed: CompileFailed, job: Job) -> bool:
    """Return whether an old pin may be the reason of the failure."""
    failure = compile_failed.failure
    if failure.kind is FailureKind.MISSING:
        return any(f"{pin.name}=={pin.version}" in failure.message for pin in job.seed)
    return failure.kind is FailureKind.CONFLICT and bool(job.seed)


def _parse_names(packages: tuple[str, ...]) -> set[str]:
    """Return the normalised names in ``--upgrade-package`` values such as ``click>=8``.

    Raises:
        UsageError: A value is not a requirement.
    """
    try:
        return {str(canonicalize_name(Requirement(package).name)) for package in packages}
    except InvalidRequirement as error:
        raise UsageError(
            f"--upgrade-package takes package names, not {', '.join(packages)}",
            hint="larp requirements update --upgrade-package NAME",
        ) from error
