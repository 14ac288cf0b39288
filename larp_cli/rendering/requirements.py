"""Describe changes to lock files, and faults in them."""

from __future__ import annotations

from collections.abc import Iterator

from larp_cli import results
from larp_cli.rendering.document import Line, Part, Table
from larp_cli.units import format_count


def describe_requirements_update(done: results.RequirementsUpdated) -> list[Part]:
    """Describe the changes in each file, and how they were resolved."""
    parts = [part for file in done.files for part in _describe_changes(file)]
    parts += [Line(f"note: {note}") for note in done.notes]
    how = f"resolved by {done.backend}, {done.order}, in {done.seconds:.1f} s"
    if done.written:
        parts.append(Line(f"wrote both files ({how})"))
        if done.backup:
            parts.append(Line(f"to undo: larp requirements rollback {done.backup}"))
    else:
        differs = any(file.rewritten for file in done.files)
        parts.append(Line(f"{'nothing written' if differs else 'nothing to do'} ({how})"))
    return parts


def describe_requirements_check(checked: results.RequirementsChecked) -> list[Part]:
    """Describe the faults that were found."""
    names = " and ".join(str(path) for path in checked.files)
    if not checked.findings:
        again = "; resolving again gives the same pins" if checked.resolved else ""
        return [Line(f"{names} match pyproject.toml and each other{again}")]
    rows = tuple((finding.code, finding.message) for finding in checked.findings)
    return [Table("Findings", ("code", "finding"), rows)]


def describe_requirements_rollback(done: results.RequirementsRolledBack) -> list[Part]:
    """Describe the restored files."""
    parts = [part for file in done.files for part in _describe_changes(file)]
    if not done.written:
        return [Line(f"nothing to do: the files are the same as in backup {done.backup}")]
    parts.append(Line(f"restored both files from backup {done.backup}"))
    if done.way_back is not None:
        parts.append(Line(f"to undo: larp requirements rollback {done.way_back}"))
    return parts


def _describe_changes(file: results.LockFileDiff) -> Iterator[Part]:
    total = format_count(file.pins, "pin")
    if not file.changes:
        comments = ", only comments" if file.rewritten else ""
        yield Line(f"{file.path}: {total}, none changed{comments}")
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
