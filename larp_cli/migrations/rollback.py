"""Undo revisions."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from larp_cli.errors import Refused
from larp_cli.migrations.alembic_api import list_downgrade_steps
from larp_cli.migrations.control import ControlSession, open_control, reopen_control
from larp_cli.migrations.guard import Guard, Stake, examine
from larp_cli.migrations.migrate import require_known
from larp_cli.migrations.project import translate_alembic_errors
from larp_cli.migrations.run.steps import describe_revision_steps
from larp_cli.postgres.relations import find_named_tables
from larp_cli.results import AppliedRevision, Direction, RolledBack, TouchedTable

if TYPE_CHECKING:
    from larp_cli.migrations.lint.offline import Rendered
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.workspace import Workspace
    from larp_cli.observer import Observer


def rollback(workspace: Workspace, guard: Guard, *, target: str) -> RolledBack:
    """Undo revisions down to ``target``, each in its own transaction.

    Args:
        workspace: The database, the project, the observer and the timeouts.
        guard: Asks for the operator's consent.
        target: The revision to keep, ``base``, or ``-N``.

    Raises:
        ConfigurationError: The target is not below the current revisions.
        Refused: Consent is missing. Nothing was changed.
        MigrationFailed: A revision failed. Those before it are undone.
    """
    began = time.monotonic()
    undone: tuple[AppliedRevision, ...] = ()
    with open_control(workspace.database, workspace.project) as control:
        database, before = control.database, control.read_heads()
        planned = plan_downgrade(control, target, before)
        stake = _examine_downgrade(control, target, workspace.observer) if planned else None
    after = before
    if stake is not None:
        loss = "this undoes revisions, with the data in what they created"
        guard.require_consent(database, stake, command=_command(target), loss=loss)
        with reopen_control(database, workspace.project) as control:
            control.hold_mutex(workspace)
            require_same_stamps(before, control.read_heads())
            undone = _undo(control, workspace, target, planned, before)
            after = control.read_heads()
    return RolledBack(
        database=database.name,
        schema=database.schema,
        before=before,
        after=after,
        undone=undone,
        seconds=time.monotonic() - began,
    )


def _undo(
    control: ControlSession,
    workspace: Workspace,
    target: str,
    planned: Sequence[Step],
    current: tuple[str, ...],
) -> tuple[AppliedRevision, ...]:
    from larp_cli.migrations.run.runner import Runner

    runner = Runner(control, workspace, Direction.DOWN, command=lambda left: _command(target, left))
    return runner.run(planned, heads=current)


def _examine_downgrade(control: ControlSession, target: str, observer: Observer) -> Stake:
    """Report what each revision will undo, and examine the tables that it touches.

    If the SQL of a revision cannot be rendered completely, every table of the schema is at stake.
    """
    from larp_cli.migrations.lint.offline import render_sql

    current = control.read_heads()
    # Rendering uses the steps up, so these are not the ones that will run.
    planned = plan_downgrade(control, target, current)
    rendered = render_sql(control.database, control.project, planned, current)
    for step in planned:
        observer.note(f"to be undone: {step.revision} {step.description}")
        _report_sql(rendered[step.revision], observer)
    stake = examine(control)
    if any(undoing.incomplete is not None for undoing in rendered.values()):
        return stake
    return replace(stake, touched=_find_touched(control, rendered.values()))


def _report_sql(undoing: Rendered, observer: Observer) -> None:
    for statement in undoing.statements:
        observer.note(f"  {' '.join(statement.sql.split())}")
    if undoing.incomplete is not None:
        observer.note(f"  incomplete: {undoing.incomplete}")


def _find_touched(
    control: ControlSession, rendered: Iterable[Rendered]
) -> tuple[TouchedTable, ...]:
    from larp_cli.postgres.sql.tables import find_tables

    statements = (statement.sql for undoing in rendered for statement in undoing.statements)
    names = {name for sql in statements for name in find_tables(sql).targets}
    touched = {table.name: table for table in find_named_tables(control.connection, names).values()}
    return tuple(touched[name] for name in sorted(touched))


def _command(target: str, left: int | None = None) -> str:
    """Write the command for a target; ``left`` is the number of steps still to do."""
    if target.startswith("-"):
        return f"larp db rollback --steps {target[1:] if left is None else left}"
    return f"larp db rollback --to {shlex.quote(target)}"


def plan_downgrade(
    control: ControlSession, target: str, current: tuple[str, ...]
) -> Sequence[Step]:
    """List the steps from the ``current`` revisions down to ``target``.

    Raises:
        ConfigurationError: The target is unknown, or not below the current revisions.
    """
    require_known(control, current)
    project = control.project
    with translate_alembic_errors(project.config_file):
        steps = list_downgrade_steps(project.script, target, current)
    return describe_revision_steps(steps)


def require_same_stamps(seen: tuple[str, ...], found: tuple[str, ...]) -> None:
    """Refuse to continue if another migration ran while the operator confirmed.

    Raises:
        Refused: The current revisions changed. This command changed nothing.
    """
    if seen != found:
        raise Refused(
            f"the database moved from {', '.join(seen) or 'base'} to"
            f" {', '.join(found) or 'base'} in the meantime; nothing was changed",
            hint="larp db status",
        )
