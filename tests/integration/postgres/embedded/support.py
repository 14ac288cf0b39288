"""Observers and other processes for the tests of the embedded server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from larp_cli.observer import Silent
from tests.processes import PATIENCE

TENANT = Path(__file__).with_name("tenant.py")


class Listener(Silent):
    """An observer that remembers what it heard."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        """Remember the note."""
        self.notes.append(text)

    def warning(self, text: str) -> None:
        """Remember the warning."""
        self.warnings.append(text)


class Tenant:
    """Another process that leases the server until it is told to leave."""

    def __init__(self, home: Path, action: str, *account: int, **environment: str) -> None:
        inherited = {name: text for name, text in os.environ.items() if "COV" not in name}
        self.process = subprocess.Popen(
            [sys.executable, str(TENANT), str(home), action, *map(str, account)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=(inherited if account else os.environ.copy()) | environment,
        )
        self.lines: list[str] = []

    def hear(self, word: str) -> str:
        """Wait for the line that begins with ``word``; return its rest."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith(word):
                return line.removeprefix(word).strip()
        raise AssertionError(f"ended without {word!r}: {self.lines}")

    def leave(self) -> int:
        """Tell it to leave and wait for its end; return its exit status."""
        rest, _ = self.process.communicate("\n", timeout=PATIENCE)
        self.lines += rest.splitlines()
        return self.process.returncode


def postgres_below(directory: Path) -> list[int]:
    """Return the pids of all processes that name ``directory`` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        text = " ".join(process.info["cmdline"] or ())
        if str(directory) in text and process.info["name"] in ("postgres", "initdb", "sh"):
            found.append(process.pid)
    return found
