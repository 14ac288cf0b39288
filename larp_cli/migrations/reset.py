"""Drop the schema and initialise it again, with a backup first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.backup.drop import drop_schema
from larp_cli.migrations.backups import back_up_before
from larp_cli.migrations.control import open_control, reopen_control
from larp_cli.migrations.guard import Guard, examine, require_unchanged
from larp_cli.migrations.init import initialise_schema
from larp_cli.migrations.seed_files import forget_seeds
from larp_cli.results import WasReset

if TYPE_CHECKING:
    from larp_cli.migrations.workspace import Workspace


def reset(
    workspace: Workspace, guard: Guard, *, backups: Path | None, seeds: Path | None
) -> WasReset:
    """Back up the schema, drop it, and initialise it again.

    Args:
        workspace: The database, the project, the observer and the timeouts.
        guard: Asks for the operator's consent.
        backups: Directory for the backup; None makes none.
        seeds: Directory of development data; None loads none.

    Raises:
        Refused: Consent is missing, or an object outside depends on the schema.
        CommandFailed: The backup failed. Nothing was dropped.
    """
    project, command = workspace.project, _reset_command(backups, seeds)
    with open_control(workspace.database, project) as control:
        database, stake = control.database, examine(control)
    loss = "this drops the schema and everything in it"
    guard.require_consent(database, stake, command=command, loss=loss)
    with reopen_control(database, project) as control:
        control.hold_mutex(workspace)
        require_unchanged(control, stake, command=command)
        backup, undo = back_up_before(control, backups, workspace.observer)
        control.connection.execute("SELECT")  # fails if the lock was lost during the backup
        workspace.observer.started(f"dropping the schema {database.schema}")
        drop_schema(database)
        # For another project, larp's metadata is not in the dropped schema.
        forget_seeds(control.connection, database.bookkeeping)
    allow_production = guard.consent.allow_production
    return WasReset(
        schema=database.schema,
        dropped=stake.tables,
        backup=backup,
        restore_command=undo,
        initialised=initialise_schema(workspace, seeds=seeds, allow_production=allow_production),
    )


def _reset_command(backups: Path | None, seeds: Path | None) -> str:
    options = [(" --seed", seeds is not None), (" --no-backup", backups is None)]
    return "larp db reset" + "".join(option for option, given in options if given)
