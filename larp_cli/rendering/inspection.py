"""Describes plans, checks and new revision files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from larp_cli import results
from larp_cli.rendering.document import Block, Facts, Line, Part, Table
from larp_cli.units import format_bytes


def describe_plan(plan: results.MigrationPlan) -> list[Part]:
    """Describe a plan: each revision with its SQL, its tables and its hazards."""
    at = ", ".join(plan.current) or "base"
    if not plan.revisions:
        return [Line(f"nothing to do: {plan.database} is at {at}")]
    rows = (("database", plan.database), ("schema", plan.schema), ("from", at), ("to", plan.target))
    parts: list[Part] = [Facts(rows)]
    for revision in plan.revisions:
        parts.extend(_planned(revision))
    if not plan.hazards_checked:
        parts.append(Line("hazards not checked; to check them: pip install 'larp-cli[lint]'"))
    elif not any(revision.hazards for revision in plan.revisions):
        parts.append(Line("no hazards found"))
    return parts


def describe_database_check(check: results.DatabaseCheck) -> list[Part]:
    """Describe a check: what was checked, what was found, and how to fix it."""
    parts: list[Part] = [Line(f"checked: {', '.join(check.checked)}")]
    parts.extend(Line(f"not checked: {what}") for what in check.skipped)
    if check.findings:
        rows = tuple((item.code, item.message, item.hint or "") for item in check.findings)
        parts.append(Table("Findings", ("code", "finding", "hint"), rows))
    else:
        parts.append(
            Line(f"no problems found; {check.database} is at {', '.join(check.current) or 'base'}")
        )
    if check.repair:
        parts.append(Line("these operations would make the schema match the models:"))
        parts.append(Block("\n".join(check.repair)))
    return parts


def describe_revision_file(written: results.RevisionFile) -> list[Part]:
    """Describe the new revision file, or say why there is none."""
    warnings = [Line(f"warning: write this change yourself: {what}") for what in written.by_hand]
    if written.path is None:
        if warnings:
            return [*warnings, Line("no other differences, so no revision was written")]
        return [Line("nothing to do: the schema matches the models")]
    rows = (
        ("revision", written.revision or ""),
        ("after", ", ".join(written.down_revisions) or "base"),
        ("message", written.message),
        ("file", str(written.path)),
    )
    return [Facts(rows), *warnings]


def _planned(revision: results.PlannedRevision) -> Iterator[Part]:
    yield Line("")
    yield Line(f"{revision.revision} {revision.description}")
    yield Line(f"-- {revision.path}")
    if revision.sql:
        yield Block(_marked(revision))
    elif revision.incomplete is None:
        yield Line("-- no SQL")
    if revision.incomplete is not None:
        yield Line(f"-- incomplete: {revision.incomplete}")
    if revision.tables:
        rows = tuple(
            (table.name, _rows(table.estimated_rows), _size(table.estimated_bytes))
            for table in revision.tables
        )
        yield Table("Tables", ("table", "rows (estimate)", "size (estimate)"), rows)
    for number, hazard in enumerate(revision.hazards):
        if number or not revision.tables:
            yield Line("")
        yield from _hazard(hazard)


def _hazard(hazard: results.Hazard) -> Iterator[Part]:
    """Describe a hazard: its rule, why it hurts, how to avoid it, and the statement."""
    accepted = f" (accepted: {hazard.waived})" if hazard.waived else ""
    yield Line(f"hazard: {hazard.rule}{accepted}")
    texts = (hazard.message, hazard.advice, hazard.statement)
    yield Block("\n".join(textwrap.indent(text, "  ") for text in texts if text))


def _marked(revision: results.PlannedRevision) -> str:
    """Write the statements, and mark where the transaction ends and where the next one begins."""
    texts: list[str] = []
    in_transaction = True
    for statement in revision.statements:
        if statement.in_transaction != in_transaction:
            in_transaction = statement.in_transaction
            texts.append(f"-- {'in' if in_transaction else 'outside'} the transaction")
        texts.append(statement.sql)
    return "\n".join(texts)


def _rows(rows: int | None) -> str:
    return "unknown" if rows is None else f"{rows:,}"


def _size(size: int | None) -> str:
    return "unknown" if size is None else format_bytes(size)
