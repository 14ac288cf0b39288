"""Undoing revisions."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from larp_cli.errors import Refused
from larp_cli.migrations.alembic_api import list_downgrade_steps
from larp_cli.migrations.control import ControlSession, open_control, reopen_control
from larp_cli.migrations.guard import Guard, Stake, examine
from larp_cli.migrations.migrate import require_known
from larp_cli.migrations.project import explained
from larp_cli.migrations.run.steps import steps_of_revisions
from larp_cli.postgres.relations import tables_by_name
from larp_cli.results import AppliedRevision, Direction, RolledBack

if TYPE_CHECKING:
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.workspace import Workspace
    from larp_cli.observer import Observer


def rollback(workspace: Workspace, guard: Guard, *, target: str) -> RolledBack:
    """Undo revisions down to ``target``, each in a transaction of its own.

    Args:
        workspace: The database, the revisions, and how to go about it.
        guard: Asks for the operator's consent.
        target: A revision that stays, ``base``, or ``-N``.

    Raises:
        ConfigurationError: The target is not below where the database stands.
        Refused: Consent is missing; nothing was changed.
        MigrationFailed: A revision failed; those before it are undone.
    """
    began = time.monotonic()
    project, command = workspace.project, f"larp db rollback {_way(target)}"
    undone: tuple[AppliedRevision, ...] = ()
    with open_control(workspace.database, project) as control:
        database, before = control.database, control.read_heads()
        planned = plan_downgrade(control, target, before)
        stake = _examine_downgrade(control, target, workspace.observer) if planned else None
    after = before
    if stake is not None:
        loss = "this undoes revisions, with the data in what they created"
        guard.require_consent(database, stake, command=command, loss=loss)
        with reopen_control(database, project) as control:
            from larp_cli.migrations.run.runner import Runner

            control.hold_mutex(workspace)
            require_same_stamps(before, control.read_heads())
            runner = Runner(
                control, workspace, command=lambda left: f"larp db rollback {_way(target, left)}"
            )
            undone = runner.run(planned, Direction.DOWN, heads=before)
            after = control.read_heads()
    return RolledBack(
        database=database.name,
        schema=database.schema,
        before=before,
        after=after,
        undone=undone,
        seconds=time.monotonic() - began,
    )


def _examine_downgrade(control: ControlSession, target: str, observer: Observer) -> Stake:
    """Report what each revision will undo, and examine the tables that it touches.

    Where the SQL of a revision cannot be known beforehand, every table of the schema is at
    stake.
    """
    from larp_cli.migrations.lint.offline import render_sql
    from larp_cli.postgres.sql.tables import TableName, find_tables

    current = control.read_heads()
    # Steps that were rendered cannot run any more, so these are not the ones that will.
    planned = plan_downgrade(control, target, current)
    rendered = render_sql(control.database, control.project, planned, current)
    names: set[TableName] = set()
    for item in planned:
        observer.note(f"to be undone: {item.revision} {item.description}")
        undoing = rendered[item.revision]
        for statement in undoing.statements:
            observer.note(f"  {' '.join(statement.sql.split())}")
            names.update(find_tables(statement.sql).targets)
        if undoing.incomplete is not None:
            observer.note(f"  incomplete: {undoing.incomplete}")
    stake = examine(control)
    if any(undoing.incomplete is not None for undoing in rendered.values()):
        return stake
    touched = {table.name: table for table in tables_by_name(control.connection, names).values()}
    return replace(stake, touched=tuple(touched[name] for name in sorted(touched)))


def _way(target: str, left: int | None = None) -> str:
    """Write the target as the command line takes it; ``left`` are the steps still to be done."""
    if target.startswith("-"):
        return f"--steps {target[1:] if left is None else left}"
    return f"--to {shlex.quote(target)}"


def plan_downgrade(
    control: ControlSession, target: str, current: tuple[str, ...]
) -> Sequence[Step]:
    """List the steps from the ``current`` heads down to ``target``.

    Raises:
        ConfigurationError: The target is unknown, or not below where the database stands.
    """
    require_known(control, current)
    project = control.project
    with explained(project.config_file):
        steps = list_downgrade_steps(project.script, target, current)
    return steps_of_revisions(steps)


def require_same_stamps(seen: tuple[str, ...], found: tuple[str, ...]) -> None:
    """Refuse to go on when another migrator moved the database while the operator looked.

    Raises:
        Refused: It did; nothing was changed.
    """
    if seen != found:
        raise Refused(
            f"the database moved from {', '.join(seen) or 'base'} to"
            f" {', '.join(found) or 'base'} meanwhile; nothing was changed",
            hint="larp db status",
        )
