"""Check that models, revision files and database agree. For CI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from larp_cli.bookkeeping.ledger import Ledger, sha256_of
from larp_cli.migrations.alembic_api import read_file_template
from larp_cli.migrations.autogenerate.compare import Comparison, compare
from larp_cli.migrations.control import ControlSession, open_control
from larp_cli.migrations.graph import RevisionGraph, find_ancestors
from larp_cli.migrations.status import Standing, compare_revisions
from larp_cli.postgres.catalog import find_invalid_indexes
from larp_cli.results import (
    DatabaseCheck,
    DatabaseState,
    Direction,
    Finding,
    LedgerEntry,
    RunOutcome,
)

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database

NOT_NAMED = "%(rev)s_%(slug)s"
"""Alembic's default file template. A project that keeps it has no rule for file names."""

NO_MESSAGE = re.compile(r"(Revision ID:.*|empty message)?", re.DOTALL)


def check_database(database: Database, project: Project) -> DatabaseCheck:
    """Run every check, without taking a lock or changing anything.

    Raises:
        DatabaseUnreachable: The database did not answer.
        ConfigurationError: The project's files cannot be read.
    """
    with open_control(database, project) as control:
        current = control.read_heads()
        standing = compare_revisions(project, current)
        comparison, skipped = _compare_models(control, standing)
        ledger, connection = Ledger(control.database.bookkeeping), control.connection
        if ledger.exists(connection) and not ledger.is_readable(connection):
            skipped += ("no edited revision: this role may not read the ledger",)
        findings = (
            *_check_revisions(project, standing),
            *_check_models(comparison),
            *_check_edits(control, ledger, current),
            *_check_indexes(control),
            *_check_files(project.script),
        )
    return DatabaseCheck(
        database=database.name,
        schema=control.database.schema,
        current=current,
        heads=standing.heads,
        checked=_list_checked(project.script, skipped),
        skipped=skipped,
        findings=findings,
        repair=comparison.operations,
    )


def _list_checked(script: ScriptDirectory, skipped: tuple[str, ...]) -> tuple[str, ...]:
    """List the checks that ran."""
    unchecked = {reason.partition(":")[0] for reason in skipped}
    optional = ("models equal schema", "no edited revision", "no invalid index")
    return (
        *("one head", "nothing pending", "not ahead"),
        *(check for check in optional if check not in unchecked),
        *(("file names",) if read_file_template(script) != NOT_NAMED else ()),
        "descriptions",
    )


def _compare_models(
    control: ControlSession, standing: Standing
) -> tuple[Comparison, tuple[str, ...]]:
    """Compare the models with the schema, or return the reason why that is not possible."""
    if standing.state is not DatabaseState.AT_HEAD:
        return Comparison(False), ("models equal schema: the database is not at head",)
    comparison = compare(control.database, control.project)
    if not comparison.has_models:
        return comparison, ("models equal schema: env.py has no target_metadata",)
    return comparison, ()


def _check_revisions(project: Project, standing: Standing) -> Iterator[Finding]:
    if len(standing.heads) > 1:
        yield Finding(
            code="several_heads",
            message=f"the revisions have several heads: {', '.join(standing.heads)}",
            hint=f"alembic -c {project.config_file} merge heads",
        )
    if standing.state is DatabaseState.NOT_INITIALISED:
        yield Finding(
            code="not_initialised", message="the database is not initialised", hint="larp db init"
        )
    elif standing.state is DatabaseState.AHEAD:
        yield Finding(
            code="ahead",
            message=f"the database is ahead of this code: {', '.join(standing.unknown)}",
            hint="find the version that applied it with larp db status, and deploy that version",
        )
    elif standing.pending:
        names = ", ".join(item.revision for item in standing.pending)
        yield Finding(code="pending", message=f"not applied: {names}", hint="larp db migrate")


def _check_models(comparison: Comparison) -> Iterator[Finding]:
    for difference in comparison.differences:
        hint = "larp db revision -m TEXT"
        if difference in comparison.by_hand:
            hint = "write it yourself: larp db revision --empty -m TEXT"
        yield Finding(code="model_drift", message=difference, hint=hint)


def _check_edits(
    control: ControlSession, ledger: Ledger, current: tuple[str, ...]
) -> Iterator[Finding]:
    """Find revisions whose files were edited after they ran.

    A revision that was stamped, or applied without larp, has no recorded file.
    """
    project = control.project
    last_runs = _find_last_runs(ledger.read_runs(control.connection), project.graph)
    for revision in sorted(find_ancestors(project.graph, current)):
        run = last_runs.get(revision)
        if run is None or run.direction != Direction.UP or run.file_sha256 is None:
            continue
        path = project.script.get_revision(revision).path
        if sha256_of(Path(path)) != run.file_sha256:
            yield Finding(
                code="edited",
                message=f"{path} was edited after it ran as {revision}"
                f" on {run.started_at:%Y-%m-%d}, by larp {run.larp_version}",
                hint="restore the file, and write the change as a new revision",
            )


def _find_last_runs(runs: Iterable[LedgerEntry], graph: RevisionGraph) -> dict[str, LedgerEntry]:
    """Find each revision's last successful run, from runs with the newest first.

    A stamp counts for its revision and everything that the revision needs.
    """
    last: dict[str, LedgerEntry] = {}
    for run in runs:
        if run.outcome == RunOutcome.SUCCEEDED:
            names = run.revision.split(", ")
            stamped = run.direction == Direction.STAMP
            for name in find_ancestors(graph, names) if stamped else names:
                last.setdefault(name, run)
    return last


def _check_indexes(control: ControlSession) -> Iterator[Finding]:
    """Find invalid indexes: in larp's schema, or in every schema for another project."""
    schema = control.database.schema if control.project.own else None
    for name in find_invalid_indexes(control.connection, schema):
        index = sql.Identifier(*name).as_string(control.connection)
        yield Finding(
            code="invalid_index",
            message=f"the index {index} is invalid: it slows down writes, and no query uses it",
            hint=f"larp db shell -- -c 'REINDEX INDEX CONCURRENTLY {index}'",
        )


def _check_files(script: ScriptDirectory) -> Iterator[Finding]:
    template = read_file_template(script)
    for item in reversed(list(script.walk_revisions())):
        if template != NOT_NAMED and not _is_well_named(template, item.path):
            yield Finding(
                code="unnamed",
                message=f"{item.path} does not match file_template: {template}",
                hint="rename the file; this does not change its revision",
            )
        if NO_MESSAGE.fullmatch(item.doc):
            yield Finding(
                code="undocumented",
                message=f"{item.path} has no description",
                hint="add a docstring whose first line is the description",
            )


def _is_well_named(template: str, path: str) -> bool:
    pattern = _template_pattern(template)
    return re.fullmatch(pattern, path.replace("\\", "/")) is not None


def _template_pattern(template: str) -> str:
    """Convert a file template to a regular expression for paths."""
    parts = re.split(r"%\((\w+)\)(?:\.?(\d*)\w)", template)
    pattern = r"(.*/)?"
    for literal, name, width in zip(
        parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True
    ):
        pattern += re.escape(literal)
        if name in ("rev", "slug"):
            pattern += r"\w+"
        elif name:
            digits = 4 if name == "year" else int(width or 0)
            pattern += rf"\d{{{digits}}}" if digits else r"\d+"
    return pattern + r"\.pyc?"
