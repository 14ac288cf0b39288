"""What every result has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from larp_cli.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command reports."""

    verbatim: ClassVar[bool] = False
    """Whether the text is the product itself, and must not be redacted."""

    @property
    def changed(self) -> bool:
        """Whether the command changed anything."""
        return False

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command with this result."""
        return ExitCode.OK
