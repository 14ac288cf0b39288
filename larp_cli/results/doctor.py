"""Facts for a bug report."""

from __future__ import annotations

from dataclasses import dataclass

from larp_cli.results.base import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that was found out."""

    name: str
    value: str
    """With its unit. Secrets are masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What belongs together, as far as it could be found out."""

    title: str
    facts: tuple[Fact, ...]
    problem: str | None = None
    """Why there is no more; None where all could be found out."""
    hint: str | None = None
    """What helps against the problem; None where nothing is known to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis(Result):
    """All that helps somebody else to see what is wrong."""

    sections: tuple[Section, ...]
