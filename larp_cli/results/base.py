"""What every answer has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from larp_cli.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a command did not end with 0."""

    exit_code: ExitCode
    message: str
    hint: str | None = None


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
    def problem(self) -> Problem | None:
        """Why the command does not end with 0; None where it does."""
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
