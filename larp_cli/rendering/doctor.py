"""What there is to say about a diagnosis."""

from __future__ import annotations

from larp_cli import results
from larp_cli.rendering.document import Line, Part, Table


def describe_diagnosis(diagnosis: results.Diagnosis) -> list[Part]:
    """Describe every section, and why one has no more."""
    parts: list[Part] = []
    for section in diagnosis.sections:
        parts.append(Line(f"== {section.title} =="))
        if section.facts:
            rows = tuple((fact.name, fact.value) for fact in section.facts)
            parts.append(Table("", ("fact", "value"), rows))
        if section.problem is not None:
            parts.append(Line(f"could not be found out: {section.problem}"))
        if section.hint is not None:
            parts.append(Line(f"hint: {section.hint}"))
    return parts
