"""Run a resolver in its own process group, and end the group with it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from larp_cli.errors import CommandFailed
from larp_cli.system.processes import end_process_group

COMMAND = "larp requirements update"
"""The command that the header of each lock file names."""
LONGEST_SECONDS = 1800.0
_UNWANTED = ("FORCE_COLOR", "CLICOLOR_FORCE")
"""Variables that would change the output of a resolver."""


class ResolverProcess:
    """A running resolver, which may wait for its arguments on standard input."""

    def __init__(self, command: Sequence[str], root: Path) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=root,
            env=_make_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def finish(self, stdin: str) -> tuple[int, str]:
        """Send the input and wait; returns the exit code and everything the resolver wrote.

        Raises:
            CommandFailed: The resolver did not finish in time.
        """
        try:
            output, _ = self._process.communicate(stdin, timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(
                f"the resolver did not finish within {LONGEST_SECONDS:g} s",
                hint="narrow the version ranges in pyproject.toml",
            ) from error
        finally:
            self.end()
        return self._process.returncode, output

    def end(self) -> None:
        """End the resolver and everything it started."""
        with self._process:
            end_process_group(self._process, signal.SIGTERM)


def _make_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    return {
        **kept,
        "CUSTOM_COMPILE_COMMAND": COMMAND,
        "UV_CUSTOM_COMPILE_COMMAND": COMMAND,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_COLOR": "1",
    }
