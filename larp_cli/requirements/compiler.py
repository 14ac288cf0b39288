"""Run the resolver, pip-tools or uv, in its own process and directory."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from larp_cli.errors import CommandFailed, ConfigurationError
from larp_cli.requirements.explain import Failure, FailureKind, explain_failure
from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.lockfile import Pin
from larp_cli.requirements.pip_api import COMPILE_PROGRAM
from larp_cli.requirements.process import ResolverProcess
from larp_cli.requirements.project import LockedProject, Target
from larp_cli.system.processes import find_installed

log = logging.getLogger(__name__)


class Backend(StrEnum):
    """Who resolves."""

    PIP_TOOLS = "pip-tools"
    UV = "uv"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """How to resolve."""

    backend: Backend = Backend.PIP_TOOLS
    hashes: bool = True
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file that is to be compiled."""

    target: Target
    seed: tuple[Pin, ...] = ()
    """Pins that are kept where they can be."""
    constraints: str | None = None
    """Pins that must be met, as pip takes them."""
    constrained_by: Path | None = None
    """The lock file that these are from."""
    upgrade_packages: tuple[str, ...] = ()
    """Pins of the seed that are not kept."""


class CompileFailed(CommandFailed):
    """The resolver ended without a file."""

    def __init__(self, target: Target, failure: Failure) -> None:
        super().__init__(f"{target.path} cannot be compiled: {failure.message}", hint=failure.hint)
        self.failure = failure

    @property
    def may_be_cured(self) -> bool:
        """Whether the other order may succeed.

        Only a conflict is a matter of order: the pins of the first file narrow what the
        second may choose, and pins of the other might leave it a choice. A package that does
        not exist, a build that fails or a network that is down is the same in any order.
        """
        return self.failure.kind is FailureKind.CONFLICT


class Compiler:
    """Compiles the files of one project."""

    def __init__(
        self, project: LockedProject, private: PrivateWords, options: CompileOptions
    ) -> None:
        self._project = project
        self._private = private
        self._options = options
        self._spare = self._started()
        self._has_compiled = False

    def close(self) -> None:
        """End what was started and is not needed."""
        if self._spare is not None:
            self._spare.end()

    def compile(self, job: Job, workspace: Path) -> str:
        """Compile one file and return its text.

        Args:
            job: Which one, and how.
            workspace: Directory for whatever is needed on the way.

        Raises:
            CompileFailed: It cannot be resolved.
            ConfigurationError: The backend is not installed.
        """
        directory = workspace / job.target.name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        output = directory / "requirements.txt"
        if job.seed:
            output.write_text("".join(pin.line for pin in job.seed), encoding="utf-8")
        words = [*self._options_of_all(), "--output-file", str(output)]
        for package in job.upgrade_packages:
            words += ["--upgrade-package", package]
        if job.constraints is not None:
            constraints = directory / "constraints.txt"
            constraints.write_text(job.constraints, encoding="utf-8")
            words += ["--constraint", str(constraints)]
        code, said = self._run([*words, *self._source(job.target, directory)])
        said = self._without_places(self._private.hide(said), job, directory)
        for line in said.splitlines():
            log.debug("%s, %s: %s", self._options.backend, job.target.path, line)
        if code != 0 or not output.exists():
            other = str(job.constrained_by) if job.constrained_by else None
            raise CompileFailed(job.target, explain_failure(said, other))
        return self._without_places(output.read_text(encoding="utf-8"), job, directory)

    def _run(self, words: list[str]) -> tuple[int, str]:
        if self._options.backend is Backend.UV:
            command = [_uv(), "pip", "compile", *words]
            return ResolverProcess(command, self._project.root).finish("")
        process = self._spare or self._started()
        assert process is not None
        try:
            self._spare = None if self._has_compiled else self._started()  # for the second file
            self._has_compiled = True
        except BaseException:
            process.end()
            raise
        return process.finish(json.dumps(words) + "\n")

    def _started(self) -> ResolverProcess | None:
        """Start pip-tools, which waits for what it is to do; uv is quick enough."""
        if self._options.backend is Backend.UV:
            return None
        # -P: do not import a click.py of the project.
        return ResolverProcess([sys.executable, "-P", "-c", COMPILE_PROGRAM], self._project.root)

    def _options_of_all(self) -> list[str]:
        if self._options.backend is Backend.UV:
            words = ["--quiet", "--no-progress", "--no-config", "--python", sys.executable]
        else:
            words = [
                # Without --verbose pip-compile does not list the sides of a conflict.
                *("--verbose", "--no-config", "--allow-unsafe", "--newline=LF"),
                *("--resolver=backtracking", "--no-emit-index-url", "--no-emit-trusted-host"),
                "--no-emit-find-links",
            ]
        words += ["--strip-extras"]
        return [*words, "--generate-hashes"] if self._options.hashes else words

    def _source(self, target: Target, directory: Path) -> list[str]:
        """Name what to compile: what has been read of ``pyproject.toml``, and no more.

        Of the file itself the resolvers pin an extra that refers to the project as a path. It
        is given to them only where its requirements are computed by a build.
        """
        if target.fingerprint is None:
            extras = [word for extra in target.extras for word in ("--extra", extra)]
            return [*extras, "pyproject.toml"]
        path = directory / "pyproject.toml"
        table = {
            "name": self._project.name,
            "version": "0",
            "dependencies": [str(item) for item in target.wanted],
        }
        if self._project.requires_python is not None:
            table["requires-python"] = self._project.requires_python
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in table.items())
        path.write_text("[project]\n" + "".join(lines), encoding="utf-8")
        return [str(path)]

    def _without_places(self, text: str, job: Job, directory: Path) -> str:
        """Name the files of the project where a resolver names those in our directory."""
        names = {"pyproject.toml": "pyproject.toml", "constraints.txt": str(job.constrained_by)}
        for name, shown in names.items():
            place = directory / name
            relative = os.path.relpath(place, self._project.root)
            for spelling in (str(place.resolve()), str(place), relative):
                text = text.replace(spelling, shown)
        return text


def _uv() -> str:
    found = find_installed("uv")
    if found is None:
        raise ConfigurationError("uv is not installed", hint="pip install uv")
    return str(found)


def without(pins: Iterable[Pin], names: Iterable[str]) -> tuple[Pin, ...]:
    """Leave out the pins of these packages."""
    left_out = frozenset(names)
    return tuple(pin for pin in pins if pin.name not in left_out)
