"""Whether models, revision files and database fit together: what CI asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from larp_cli.bookkeeping.ledger import Ledger, sha256_of
from larp_cli.migrations.autogenerate.compare import Comparison, compare
from larp_cli.migrations.graph import find_ancestors
from larp_cli.migrations.status import Standing, standing_of
from larp_cli.migrations.version_table import current_heads, locate
from larp_cli.postgres.catalog import invalid_indexes
from larp_cli.results import DatabaseCheck, DatabaseState, Direction, Finding

if TYPE_CHECKING:
    import psycopg
    from alembic.script import ScriptDirectory

    from larp_cli.bookkeeping.database import ManagedDatabase
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
    database = locate(database, project)
    current = current_heads(database)
    standing = standing_of(project, current)
    script = project.script
    comparison, skipped = _compared(database, project, standing)
    with database.connection() as connection:
        ledger = Ledger(database.bookkeeping)
        if ledger.exists(connection) and not ledger.is_readable(connection):
            skipped += ("no edited revision: this role may not read the ledger",)
        findings = (
            *_standing(project, standing),
            *_drift(comparison),
            *_edited(connection, database, project, current),
            *_invalid(connection, database, everywhere=not project.own),
            *_files(script),
        )
    checked = ["one head", "nothing pending", "not ahead"]
    unchecked = {reason.partition(":")[0] for reason in skipped}
    asked = ("models equal schema", "no edited revision", "no invalid index")
    checked += [what for what in asked if what not in unchecked]
    checked += ["file names"] if _names_files(script) else []
    return DatabaseCheck(
        database=database.name,
        schema=database.schema,
        current=current,
        heads=standing.heads,
        checked=(*checked, "descriptions"),
        skipped=skipped,
        findings=findings,
        repair=comparison.operations,
    )


def _compared(
    database: Database, project: Project, standing: Standing
) -> tuple[Comparison, tuple[str, ...]]:
    """Compare the models, where that makes sense; else say why not."""
    if standing.state is not DatabaseState.AT_HEAD:
        return Comparison(False), ("models equal schema: the database is not at head",)
    comparison = compare(database, project)
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


def _edited(
    connection: psycopg.Connection,
    database: ManagedDatabase,
    project: Project,
    current: tuple[str, ...],
) -> Iterator[Finding]:
    """Find applied revisions whose files are not what they were when they ran.

    A revision that got in by a stamp, or without larp, has no file to compare with.
    """
    last_runs = Ledger(database.bookkeeping).read_last_runs(connection)
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


def _invalid(
    connection: psycopg.Connection, database: ManagedDatabase, *, everywhere: bool
) -> Iterator[Finding]:
    for name in invalid_indexes(connection, None if everywhere else database.schema):
        index = sql.Identifier(*name).as_string(connection)
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
