"""Somebody who does what the pages show, in a checkout of their own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

from tests.acceptance.pages import blocks
from tests.checkout import copy_repository
from tests.conftest import ROOT
from tests.databases import until
from tests.processes import PATIENCE

CHECKOUT = (
    "alembic", "alembic.ini", "larp_cli", "pyproject.toml", "requirements.txt",
    "requirements-dev.txt",
)  # fmt: skip

DONE_BEFORE = ("make install", ". .venv/bin/activate", "pip install ")
"""What the tests run with is what these lines bring."""


def renamed(text: str) -> str:
    """Give the players on the pages another name: the project may have some by now."""
    return text.replace("player", "newcomer").replace("Player", "Newcomer")


def checkout(directory: Path) -> Path:
    """Copy what a clone of the repository holds, as far as larp needs it."""
    directory.mkdir()
    copy_repository(CHECKOUT, directory)
    return directory


def program(directory: Path) -> Path:
    """Put a ``larp`` into a directory for the PATH, which runs the code of where it is called."""
    directory.mkdir()
    path = directory / "larp"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m larp_cli "$@"\n')
    path.chmod(0o755)
    return directory


def kept_on_screen(stderr: str) -> str:
    """Drop what a terminal wipes, which is progress, and what only root is shown."""
    kept = ("note: ", "warning: ", "error: ", "hint: ")
    return "\n".join(
        line
        for line in stderr.splitlines()
        if line.startswith(kept) and not line.startswith("note: added o+x")
    )


@dataclass
class Reader:
    """Somebody who types what a page shows."""

    directory: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def type(self, text: str, replacing: Mapping[str, str] | None = None) -> str:
        """Run a block of shell lines, each of which has to succeed; returns what they print.

        What goes on until it is ended stays behind, and has said something.
        """
        for shown, meant in (replacing or {}).items():
            assert shown in text, f"{shown} is shown no more"
            text = text.replace(shown, meant)
        lines = [line for line in renamed(text).splitlines() if not line.startswith(DONE_BEFORE)]
        return "".join(map(self._line, lines))

    def _line(self, line: str) -> str:
        if line.startswith("export "):
            name, _, assigned = line.removeprefix("export ").partition("=")
            self.environment[name] = shlex.split(assigned)[0]
            return ""
        if line.startswith("larp serve") or "--watch" in line:
            return self._stay(line)
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _stay(self, line: str) -> str:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {line}"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, line
        if "serve" in line:
            until(lambda: _is_ready(said.split()[-1]))
        return said

    def write(self, page: str) -> None:
        """Write the Python that a page gives a file's name to; a file that is there grows."""
        for shown in blocks((ROOT / page).read_text(encoding="utf-8"), "python"):
            text = renamed(shown)
            named = re.match(r"# (\S+\.py)\n", text)
            if named:
                with (self.directory / named[1]).open("a", encoding="utf-8") as file:
                    file.write(text)

    def edit_model(self, column: str, imports: str) -> None:
        """Replace the column of the README's model."""
        path = self.directory / "larp_cli" / "models" / "newcomer.py"
        text = path.read_text()
        assert "    name: Mapped[str]\n" in text
        path.write_text(imports + text.replace("    name: Mapped[str]\n", column))

    def run(self, line: str) -> str:
        """Run a line of a transcript; returns what a terminal keeps of its output."""
        done = subprocess.run(
            ["sh", "-c", f"{line} --output human"],
            cwd=self.directory,
            env=self.environment | {"COLUMNS": "400"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        return f"{kept_on_screen(done.stderr)}\n{done.stdout}"

    def leave(self) -> None:
        """End what still runs."""
        for process in self.running:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
