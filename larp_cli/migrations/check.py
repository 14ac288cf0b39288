"""Whether models, revision files and database fit together: what CI asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from larp_cli.bookkeeping.ledger import Ledger, sha256_of
from larp_cli.migrations.autogenerate.compare import Comparison, compare
from larp_cli.migrations.control import ControlSession, open_control
from larp_cli.migrations.graph import find_ancestors
from larp_cli.migrations.status import Standing, standing_of
from larp_cli.postgres.catalog import invalid_indexes
from larp_cli.results import DatabaseCheck, DatabaseState, Direction, Finding

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database

NOT_NAMED = "%(rev)s_%(slug)s"
"""Alembic's own file template: a project that keeps it has not said how to name files."""

NO_MESSAGE = re.compile(r"(Revision ID:.*|empty message)?", re.DOTALL)


def check_database(database: Database, project: Project) -> DatabaseCheck:
    """Look whether all fits together, without a lock and without changing anything.

    Raises:
        DatabaseUnreachable: The database did not answer.
        ConfigurationError: The project's files cannot be read.
    """
    with open_control(database, project) as control:
        current = control.read_heads()
        standing = standing_of(project, current)
        comparison, skipped = _compared(control, standing)
        ledger, connection = Ledger(control.database.bookkeeping), control.connection
        if ledger.exists(connection) and not ledger.is_readable(connection):
            skipped += ("no edited revision: this role may not read the ledger",)
        findings = (
            *_standing(project, standing),
            *_drift(comparison),
            *_edited(control, ledger, current),
            *_invalid(control),
            *_files(project.script),
        )
    return DatabaseCheck(
        database=database.name,
        schema=control.database.schema,
        current=current,
        heads=standing.heads,
        checked=_checked(project.script, skipped),
        skipped=skipped,
        findings=findings,
        repair=comparison.operations,
    )


def _checked(script: ScriptDirectory, skipped: tuple[str, ...]) -> tuple[str, ...]:
    """Name what was checked."""
    unchecked = {reason.partition(":")[0] for reason in skipped}
    asked = ("models equal schema", "no edited revision", "no invalid index")
    return (
        *("one head", "nothing pending", "not ahead"),
        *(what for what in asked if what not in unchecked),
        *(("file names",) if _names_files(script) else ()),
        "descriptions",
    )


def _compared(control: ControlSession, standing: Standing) -> tuple[Comparison, tuple[str, ...]]:
    """Compare the models, where that makes sense; else say why not."""
    if standing.state is not DatabaseState.AT_HEAD:
        return Comparison(False), ("models equal schema: the database is not at head",)
    comparison = compare(control.database, control.project)
    if not comparison.has_models:
        return comparison, ("models equal schema: env.py has no target_metadata",)
    return comparison, ()


def _standing(project: Project, standing: Standing) -> Iterator[Finding]:
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
            hint="larp db status tells which version applied it; deploy that version",
        )
    elif standing.pending:
        names = ", ".join(item.revision for item in standing.pending)
        yield Finding(code="pending", message=f"not applied: {names}", hint="larp db migrate")


def _drift(comparison: Comparison) -> Iterator[Finding]:
    for difference in comparison.differences:
        hint = "larp db revision -m TEXT"
        if difference in comparison.by_hand:
            hint = "write it by hand: larp db revision --empty -m TEXT"
        yield Finding(code="model_drift", message=difference, hint=hint)


def _edited(control: ControlSession, ledger: Ledger, current: tuple[str, ...]) -> Iterator[Finding]:
    """Find applied revisions whose files are not what they were when they ran.

    A revision that got in by a stamp, or without larp, has no file to compare with.
    """
    project = control.project
    last_runs = ledger.read_last_runs(control.connection)
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
                hint="put the file back as it was, and write the change as a new revision",
            )


def _invalid(control: ControlSession) -> Iterator[Finding]:
    """Find invalid indexes: in our schema, of another project in every schema."""
    schema = control.database.schema if control.project.own else None
    for name in invalid_indexes(control.connection, schema):
        index = sql.Identifier(*name).as_string(control.connection)
        yield Finding(
            code="invalid_index",
            message=f"the index {index} is invalid: no query uses it, every write pays for it",
            hint=f"larp db shell -- -c 'REINDEX INDEX CONCURRENTLY {index}'",
        )


def _files(script: ScriptDirectory) -> Iterator[Finding]:
    pattern = _file_name(script.file_template)
    for item in reversed(list(script.walk_revisions())):
        if _names_files(script) and not re.fullmatch(pattern, item.path.replace("\\", "/")):
            yield Finding(
                code="unnamed",
                message=f"{item.path} is not named as file_template says: {script.file_template}",
                hint="rename the file; its revision stays",
            )
        if NO_MESSAGE.fullmatch(item.doc):
            yield Finding(
                code="undocumented",
                message=f"{item.path} does not say what it does",
                hint="give it a docstring whose first line is the description",
            )


def _names_files(script: ScriptDirectory) -> bool:
    return script.file_template != NOT_NAMED


def _file_name(template: str) -> str:
    """Turn a file template into a pattern for paths."""
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
