"""What there is to say about lock files."""

from __future__ import annotations

from collections.abc import Iterator

from larp_cli import results
from larp_cli.rendering.document import Line, Part, Table
from larp_cli.results.base import counted


def describe_requirements_update(done: results.RequirementsUpdated) -> list[Part]:
    """Describe what changed in each file, and how it was resolved."""
    parts = [part for file in done.files for part in _changes(file)]
    parts += [Line(f"note: {note}") for note in done.notes]
    told = f"resolved by {done.backend}, {done.order}, in {done.seconds:.1f} s"
    if done.written:
        way_back = f"; to go back: larp requirements rollback {done.backup}" if done.backup else ""
        parts.append(Line(f"both files are published ({told}){way_back}"))
    else:
        differs = any(file.rewritten for file in done.files)
        parts.append(Line(f"{'nothing was written' if differs else 'nothing to do'} ({told})"))
    return parts


def describe_requirements_check(checked: results.RequirementsChecked) -> list[Part]:
    """Describe what does not fit."""
    names = " and ".join(str(path) for path in checked.files)
    if not checked.findings:
        anew = ", resolved anew" if checked.resolved else ""
        return [Line(f"{names} fit pyproject.toml and each other{anew}")]
    rows = tuple((finding.code, finding.message) for finding in checked.findings)
    return [Table("Findings", ("code", "finding"), rows)]


def describe_requirements_rollback(done: results.RequirementsRolledBack) -> list[Part]:
    """Describe what was put back."""
    parts = [part for file in done.files for part in _changes(file)]
    if not done.written:
        return [Line(f"nothing to do: the files are as in {done.backup}")]
    parts.append(Line(f"both files are as in {done.backup}"))
    if done.way_back is not None:
        parts.append(Line(f"to undo that: larp requirements rollback {done.way_back}"))
    return parts


def _changes(file: results.LockFileDiff) -> Iterator[Part]:
    total = counted(file.pins, "pin")
    if not file.changes:
        other = ", other comments" if file.rewritten else ""
        yield Line(f"{file.path}: {total}, none changed{other}")
        return
    rows = tuple(
        (
            change.kind.value,
            change.name,
            change.before or "",
            change.after or "",
            "major" if change.major else "",
        )
        for change in file.changes
    )
    yield Line(f"{file.path}: {total}, {len(rows)} changed")
    yield Table("", ("change", "package", "before", "after", ""), rows)
