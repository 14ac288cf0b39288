"""Results of ``larp doctor``."""

from __future__ import annotations

from dataclasses import dataclass

from larp_cli.results.base import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the report."""

    name: str
    value: str
    """Value with its unit. Secrets are masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the report."""

    title: str
    facts: tuple[Fact, ...]
    problem: str | None = None
    """Why the section is incomplete; None if it is complete."""
    hint: str | None = None
    """What to do about the problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis(Result):
    """The report of ``larp doctor``."""

    sections: tuple[Section, ...]
