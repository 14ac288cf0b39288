"""Running squawk, the linter for SQL of the extra ``lint``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from larp_cli.errors import CommandFailed

SQUAWK_TIMEOUT = 60
"""Seconds; it takes milliseconds for a plan of hundreds of revisions."""

type Violation = Mapping[str, Any]
"""One of squawk's findings: ``rule_name``, ``message``, ``help``, ``line`` (from 0) and more."""


def find_squawk() -> Path | None:
    """Find squawk beside this Python, where pip puts it, or on PATH."""
    beside = Path(sys.executable).parent / "squawk"
    if beside.is_file():
        return beside
    on_path = shutil.which("squawk")
    return Path(on_path) if on_path else None


def lint(squawk: Path, scripts: Sequence[str], server_major: int) -> list[list[Violation]]:
    """Run squawk once over all scripts; returns its findings for each.

    Raises:
        CommandFailed: Squawk failed, or was not finished in time.
    """
    with tempfile.TemporaryDirectory(prefix="larp-plan-") as directory:
        names = [f"{number}.sql" for number in range(len(scripts))]
        for name, script in zip(names, scripts, strict=True):
            Path(directory, name).write_text(
                script, encoding="utf-8", errors="replace", newline="\n"
            )
        # Else a .squawk.toml in some directory above would change the answer.
        Path(directory, "squawk.toml").touch()
        options = ("--config", "squawk.toml", "--reporter", "json", "--pg-version")
        output = _output_of([squawk, *options, str(server_major), *names], directory)
    found: list[list[Violation]] = [[] for _ in scripts]
    for violation in output:
        found[int(violation["file"].removesuffix(".sql"))].append(violation)
    return found


def _output_of(arguments: Sequence[str | Path], directory: str) -> list[Violation]:
    try:
        done = subprocess.run(
            arguments,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SQUAWK_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"squawk was not finished after {SQUAWK_TIMEOUT} s") from error
    except OSError as error:
        raise CommandFailed(f"squawk failed: {error}") from error
    try:
        parsed: list[Violation] = json.loads(done.stdout)
    except ValueError as error:
        why = done.stderr.strip() or f"exit status {done.returncode}"
        raise CommandFailed(f"squawk failed: {why}") from error
    return parsed
