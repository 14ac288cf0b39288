"""Running the resolver: pip-tools, or uv, in a process and a directory of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from larp_cli.errors import CommandFailed, ConfigurationError
from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.project import Target

COMMAND = "larp requirements update"
"""What the files say that they are made by."""
LONGEST_SECONDS = 1800.0


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


class CompileFailed(CommandFailed):
    """The resolver ended without a file."""

    def __init__(self, target: Target, said: str) -> None:
        message, hint = _explained(said)
        super().__init__(f"{target.path} cannot be compiled: {message}", hint=hint)
        self.said = said

    @property
    def may_be_cured(self) -> bool:
        """Whether the other order may succeed.

        Only a conflict is a matter of order: the pins of the first file narrow what the
        second may choose, and pins of the other might leave it a choice. A package that does
        not exist, a build that fails or a network that is down is the same in any order.
        """
        return _is_conflict(self.said)

    @property
    def vanished(self) -> str | None:
        """The pin of the old file that exists no more, where that is what failed."""
        found = _VANISHED.search(self.said)
        return found[1] if found else None


_VANISHED = re.compile(
    r"(?:No matching distribution found for|there is no version of) ([A-Za-z0-9._-]+)==\S+"
)
_CAUSED = re.compile(r"The conflict is caused by:\n((?:[ \t]+\S.*\n?)+)")


class Compiler:
    """Compiles the files of one project."""

    def __init__(
        self, root: Path, directory: Path, private: PrivateWords, options: CompileOptions
    ) -> None:
        self._root = root
        self._directory = directory
        self._private = private
        self._options = options

    def compile(self, target: Target, *, seed: str | None, constraints: str | None) -> str:
        """Compile one file and return its text.

        Args:
            target: Which.
            seed: The text of the old file, whose pins are kept where they can be.
            constraints: Pins of the other file, which must be met.

        Raises:
            CompileFailed: It cannot be resolved.
            ConfigurationError: The backend is not installed.
        """
        output = self._directory / target.path.name
        output.unlink(missing_ok=True)
        if seed is not None and not self._options.upgrade:
            output.write_text(seed, encoding="utf-8")
        command = [*self._command(), "--output-file", str(output)]
        for extra in target.extras:
            command += ["--extra", extra]
        if constraints is not None:
            place = self._directory / "constraints" / target.path.name
            place.parent.mkdir(exist_ok=True)
            place.write_text(constraints, encoding="utf-8")
            command += ["--constraint", str(place)]
        code, said = _run(command, self._root)
        if code != 0:
            raise CompileFailed(target, self._private.hide(said))
        try:
            return output.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise CompileFailed(target, "the resolver wrote nothing") from error

    def _command(self) -> list[str]:
        options = self._options
        if options.backend is Backend.UV:
            command = [_uv(), "pip", "compile", "--quiet", "--no-progress", "--no-config"]
        else:
            command = [
                *(sys.executable, "-m", "piptools", "compile", "--quiet", "--no-config"),
                *("--allow-unsafe", "--newline=LF", "--resolver=backtracking"),
                *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
            ]
        command += ["--strip-extras"]
        command += ["--generate-hashes"] if options.hashes else []
        command += ["--upgrade"] if options.upgrade else []
        for package in options.upgrade_packages:
            command += ["--upgrade-package", package]
        return [*command, "pyproject.toml"]


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise ConfigurationError("uv is not installed", hint="pip install uv")
    return found


def _run(command: Sequence[str], root: Path) -> tuple[int, str]:
    """Run a resolver; whatever ends the waiting ends it too, with all that it has started."""
    environment = {
        **os.environ,
        "CUSTOM_COMPILE_COMMAND": COMMAND,
        "UV_CUSTOM_COMPILE_COMMAND": COMMAND,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
    except BaseException:
        _end(process)
        raise
    return process.returncode, said


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=3)
            return


def _is_conflict(said: str) -> bool:
    return any(
        word in said
        for word in ("ResolutionImpossible", "conflicting dependencies", "ResolutionTooDeep")
    ) or ("No solution found" in said and "was not found" not in said)


def _explained(said: str) -> tuple[str, str | None]:
    """Say in a sentence why a resolver gave up, and what to do."""
    caused = _CAUSED.search(said)
    if caused:
        lines = [line.strip() for line in caused[1].splitlines() if line.strip()]
        return "; ".join(map(_needs, lines)), "loosen one of these in pyproject.toml"
    if re.search(r"NewConnectionError|Temporary failure in name|Network is unreachable", said):
        return "the package index cannot be reached", "check the network, and pip config list"
    if re.search(r"ConnectTimeout|Read timed out|Connection refused|error sending request", said):
        return "the package index does not answer", "check the network, and pip config list"
    missing = re.search(
        r"No matching distribution found for (\S[^\n]*?)(?: \(from|\n|$)|"
        r"Because (\S+) was not found in the package registry",
        said,
    )
    if missing:
        name = missing[1] or missing[2]
        return f"the index has no {name}", "correct the name or the version in pyproject.toml"
    if "No solution found" in said:
        told = " ".join(said.partition("╰─▶")[2].split()) or "it has no solution"
        return told, "loosen one of these in pyproject.toml"
    if re.search(r"No space left on device", said):
        return "the disk is full", "make room, then: larp requirements update"
    last = [line.strip() for line in said.splitlines() if line.strip()]
    return (last[-1] if last else "the resolver said nothing"), None


def _needs(line: str) -> str:
    """Turn pip's line about one side of a conflict into a clause."""
    found = re.fullmatch(r"(\S+) (\S+) depends on (.+)", line)
    if found:
        return f"{found[1]} {found[2]} needs {found[3]}"
    found = re.fullmatch(r"The user requested \(constraint\) (.+)", line)
    if found:
        return f"the other file has {found[1]}"
    found = re.fullmatch(r"The user requested (.+)", line)
    return f"pyproject.toml asks for {found[1]}" if found else line
