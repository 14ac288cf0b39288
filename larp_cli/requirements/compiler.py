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

_PIP_TOOLS_OPTIONS = (
    # Without --verbose, pip-compile does not list the sides of a conflict.
    *("--verbose", "--no-config", "--allow-unsafe", "--newline=LF"),
    *("--resolver=backtracking", "--no-emit-index-url", "--no-emit-trusted-host"),
    "--no-emit-find-links",
)


class Backend(StrEnum):
    """The resolver."""

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
    """One file to compile."""

    target: Target
    seed: tuple[Pin, ...] = ()
    """Pins to keep where possible."""
    constraints: str | None = None
    """Pins that the result must meet, in pip's format for constraints."""
    constrained_by: Path | None = None
    """The lock file that holds these pins."""
    upgrade_packages: tuple[str, ...] = ()
    """Packages whose pins in the seed are not kept."""


class CompileFailed(CommandFailed):
    """The resolver ended without writing a file."""

    def __init__(self, target: Target, failure: Failure) -> None:
        super().__init__(f"{target.path} cannot be compiled: {failure.message}", hint=failure.hint)
        self.failure = failure

    @property
    def depends_on_order(self) -> bool:
        """Whether compiling the files in the other order may succeed.

        Only a conflict depends on the order: the pins of the first file limit what the second
        may choose, and other pins might leave it a choice. A package that does not exist, a
        failing build or a network that is down fails in any order.
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
        self._spare = self._start()
        self._has_compiled = False

    def close(self) -> None:
        """End a process that was started and never needed."""
        if self._spare is not None:
            self._spare.end()

    def compile(self, job: Job, workspace: Path) -> str:
        """Compile one file and return its text.

        Args:
            job: The file, and its pins and constraints.
            workspace: Directory for temporary files.

        Raises:
            CompileFailed: The requirements cannot be resolved.
            ConfigurationError: The backend is not installed.
        """
        directory = _make_empty(workspace / job.target.name)
        result = directory / "requirements.txt"
        code, output = self._run(self._prepare(job, directory, result))
        output = self._hide_directory(self._private.hide(output), job, directory)
        for line in output.splitlines():
            log.debug("%s, %s: %s", self._options.backend, job.target.path, line)
        if code != 0 or not result.exists():
            constrained_by = str(job.constrained_by) if job.constrained_by else None
            raise CompileFailed(job.target, explain_failure(output, constrained_by))
        return self._hide_directory(result.read_text(encoding="utf-8"), job, directory)

    def _prepare(self, job: Job, directory: Path, result: Path) -> list[str]:
        """Write the seed, constraints and requirements of a job; returns the arguments."""
        arguments = [*self._list_options(), "--output-file", str(result)]
        if job.seed:
            result.write_text("".join(pin.line for pin in job.seed), encoding="utf-8")
        for package in job.upgrade_packages:
            arguments += ["--upgrade-package", package]
        if job.constraints is not None:
            constraints = directory / "constraints.txt"
            constraints.write_text(job.constraints, encoding="utf-8")
            arguments += ["--constraint", str(constraints)]
        return [*arguments, *self._list_sources(job.target, directory)]

    def _list_options(self) -> list[str]:
        options = ["--strip-extras"]
        if self._options.backend is Backend.UV:
            options += ["--quiet", "--no-progress", "--no-config", "--python", sys.executable]
        else:
            options += _PIP_TOOLS_OPTIONS
        return [*options, "--generate-hashes"] if self._options.hashes else options

    def _list_sources(self, target: Target, directory: Path) -> list[str]:
        """Return the arguments that name the requirements to compile.

        They name a copy that holds only the requirements: from the project's own file, the
        resolvers would pin an extra that refers to the project as a path. They get that file
        only if its requirements are computed by a build.
        """
        if target.fingerprint is None:
            extras = [word for extra in target.extras for word in ("--extra", extra)]
            return [*extras, "pyproject.toml"]
        path = directory / "pyproject.toml"
        path.write_text(self._write_project_table(target), encoding="utf-8")
        return [str(path)]

    def _write_project_table(self, target: Target) -> str:
        table = {
            "name": self._project.name,
            "version": "0",
            "dependencies": [str(item) for item in target.wanted],
        }
        if self._project.requires_python is not None:
            table["requires-python"] = self._project.requires_python
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in table.items())
        return "[project]\n" + "".join(lines)

    def _run(self, arguments: list[str]) -> tuple[int, str]:
        """Run the backend; returns its exit code and everything it wrote."""
        if self._options.backend is Backend.UV:
            command = [_find_uv(), "pip", "compile", *arguments]
            return ResolverProcess(command, self._project.root).finish("")
        return self._take_process().finish(json.dumps(arguments) + "\n")

    def _take_process(self) -> ResolverProcess:
        """Return a process that waits for its arguments, and start one for the second file."""
        process = self._spare or self._start()
        assert process is not None
        try:
            self._spare = None if self._has_compiled else self._start()
            self._has_compiled = True
        except BaseException:
            process.end()
            raise
        return process

    def _start(self) -> ResolverProcess | None:
        """Start pip-tools, which waits for its arguments; uv starts fast enough without this."""
        if self._options.backend is Backend.UV:
            return None
        # -P: do not import a click.py of the project.
        return ResolverProcess([sys.executable, "-P", "-c", COMPILE_PROGRAM], self._project.root)

    def _hide_directory(self, text: str, job: Job, directory: Path) -> str:
        """Replace paths in the temporary directory by the project files they stand for."""
        names = {"pyproject.toml": "pyproject.toml", "constraints.txt": str(job.constrained_by)}
        for name, shown in names.items():
            path = directory / name
            relative = os.path.relpath(path, self._project.root)
            for spelling in (str(path.resolve()), str(path), relative):
                text = text.replace(spelling, shown)
        return text


def _make_empty(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def _find_uv() -> str:
    found = find_installed("uv")
    if found is None:
        raise ConfigurationError("uv is not installed", hint="pip install uv")
    return str(found)


def exclude_pins(pins: Iterable[Pin], names: Iterable[str]) -> tuple[Pin, ...]:
    """Return the pins of all other packages."""
    excluded = frozenset(names)
    return tuple(pin for pin in pins if pin.name not in excluded)
