"""Describes the report of `larp doctor`."""

from __future__ import annotations

from larp_cli import results
from larp_cli.rendering.document import Line, Part, Table


def describe_diagnosis(diagnosis: results.Diagnosis) -> list[Part]:
    """Describe every section, and why one is incomplete."""
    parts: list[Part] = []
    for section in diagnosis.sections:
        parts.append(Line(f"== {section.title} =="))
        if section.facts:
            rows = tuple((fact.name, fact.value) for fact in section.facts)
            parts.append(Table("", ("item", "value"), rows))
        if section.problem is not None:
            parts.append(Line(f"not available: {section.problem}"))
        if section.hint is not None:
            parts.append(Line(f"hint: {section.hint}"))
    return parts
