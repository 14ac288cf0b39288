"""Record a revision without running it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from psycopg import sql

from larp_cli.bookkeeping.ledger import Ledger, Run
from larp_cli.migrations.alembic_api import list_stamp_steps
from larp_cli.migrations.control import ControlSession, open_control, reopen_control
from larp_cli.migrations.graph import find_unknown
from larp_cli.migrations.guard import Guard, examine
from larp_cli.migrations.project import translate_alembic_errors
from larp_cli.migrations.rollback import require_same_stamps
from larp_cli.migrations.run.steps import describe_stamp_steps
from larp_cli.results import Direction, Stamped

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.workspace import Workspace


def stamp(workspace: Workspace, guard: Guard, *, revision: str) -> Stamped:
    """Record ``revision`` without running anything.

    Args:
        workspace: The database, the project, the observer and the timeouts.
        guard: Asks for the operator's consent.
        revision: A revision, ``head``, ``heads`` or ``base``.

    Raises:
        ConfigurationError: The revision does not exist.
        Refused: Consent is missing. Nothing was changed.
    """
    project, command = workspace.project, f"larp db stamp {shlex.quote(revision)}"
    with open_control(workspace.database, project) as control:
        database, before = control.database, control.read_heads()
        is_unknown = bool(find_unknown(project.graph, before))
        planned = _plan_stamp(project, revision, () if is_unknown else before)
        stake = examine(control) if planned or is_unknown else None
    after = before
    if stake is not None:
        old = ", ".join(before) or "base"
        loss = f"this records {revision} instead of {old} and runs nothing"
        guard.require_consent(database, stake, command=command, loss=loss)
        with reopen_control(database, project) as control:
            control.hold_mutex(workspace)
            require_same_stamps(before, control.read_heads())
            if is_unknown:
                _replace_stamps(control, planned)
            else:
                _run_stamps(control, workspace, planned, before, command)
            after = control.read_heads()
    return Stamped(database=database.name, schema=database.schema, before=before, after=after)


def _run_stamps(
    control: ControlSession,
    workspace: Workspace,
    planned: list[Step],
    current: tuple[str, ...],
    command: str,
) -> None:
    from larp_cli.migrations.run.runner import Runner

    runner = Runner(control, workspace, Direction.STAMP, command=lambda _left: command)
    runner.run(planned, heads=current)


def _plan_stamp(project: Project, revision: str, current: tuple[str, ...]) -> list[Step]:
    """List Alembic's steps from the ``current`` revisions to ``revision``."""
    with translate_alembic_errors(project.config_file):
        return describe_stamp_steps(list_stamp_steps(project.script, revision, current))


def _replace_stamps(control: ControlSession, planned: list[Step]) -> None:
    """Replace revisions without a file, in one transaction.

    Alembic deletes and inserts in two transactions. A crash between them would leave a database
    that looks new.
    """
    ledger, connection = Ledger(control.database.bookkeeping), control.connection
    ledger.ensure(connection)
    table = control.database.version_table.identifier
    revisions = [step.revision for step in planned]
    with connection.transaction():
        connection.execute(sql.SQL("DELETE FROM {}").format(table))
        for revision in revisions:
            insert = sql.SQL("INSERT INTO {} (version_num) VALUES (%s)").format(table)
            connection.execute(insert, (revision,))
        for revision in revisions or ["base"]:
            ledger.write(connection, Run(revision, Direction.STAMP, 0.0, None))
