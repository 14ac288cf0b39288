"""Run squawk, the linter for SQL in the extra ``lint``: https://squawkhq.com/docs/rules."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from larp_cli.errors import CommandFailed
from larp_cli.system.processes import find_installed

SQUAWK_TIMEOUT = 60
"""Seconds. Squawk needs milliseconds for a plan of hundreds of revisions."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a script violates."""

    rule: str
    message: str
    advice: str | None
    line: int
    """Where in the script; the first line is 0."""


def find_squawk() -> Path | None:
    """Find squawk; None where it is not installed."""
    return find_installed("squawk")


def run_squawk(squawk: Path, scripts: Sequence[str], server_major: int) -> list[list[Violation]]:
    """Run squawk once over all scripts; returns the violations in each.

    Raises:
        CommandFailed: Squawk failed, or did not finish in time.
    """
    with tempfile.TemporaryDirectory(prefix="larp-plan-") as directory:
        names = [f"{number}.sql" for number in range(len(scripts))]
        for name, script in zip(names, scripts, strict=True):
            Path(directory, name).write_text(
                script, encoding="utf-8", errors="replace", newline="\n"
            )
        # Without its own, squawk would use a .squawk.toml of a directory above.
        Path(directory, "squawk.toml").touch()
        options = ("--config", "squawk.toml", "--reporter", "json", "--pg-version")
        reported = _run([squawk, *options, str(server_major), *names], directory)
    violations: list[list[Violation]] = [[] for _ in scripts]
    for item in reported:
        violations[names.index(item["file"])].append(
            Violation(item["rule_name"], item["message"], item["help"], item["line"])
        )
    return violations


def _run(arguments: Sequence[str | Path], directory: str) -> list[dict[str, Any]]:
    """Run squawk and return its report."""
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
        raise CommandFailed(f"squawk did not finish within {SQUAWK_TIMEOUT} s") from error
    except OSError as error:
        raise CommandFailed(f"squawk failed: {error}") from error
    try:
        report: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError as error:
        why = done.stderr.strip() or f"exit status {done.returncode}"
        raise CommandFailed(f"squawk failed: {why}") from error
    return report
