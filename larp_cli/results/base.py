"""What every answer has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from larp_cli.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the answer is no, or why there is none."""

    exit_code: ExitCode
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one command answers with."""

    verbatim: ClassVar[bool] = False
    """Whether the texts in it are the product itself, and are never redacted."""

    @property
    def changed(self) -> bool:
        """Whether the command changed anything."""
        return False

    @property
    def problem(self) -> Problem | None:
        """The "no" in the answer, where there is one."""
        return None


def sized(size: int) -> str:
    """Write a number of bytes as people read it: ``12.3 MB``, a thousand to each step."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return counted(size, "byte")


def counted(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
