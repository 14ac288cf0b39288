"""Migrate a database up to a revision: look first, then one migrator at a time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from larp_cli.bookkeeping.environment import stamp_environment
from larp_cli.bookkeeping.ledger import Ledger
from larp_cli.errors import ConfigurationError
from larp_cli.hints import suggest_newer_code
from larp_cli.migrations.alembic_api import list_upgrade_steps
from larp_cli.migrations.control import ControlSession, open_control
from larp_cli.migrations.graph import find_heads, find_unknown, has_every_revision
from larp_cli.migrations.project import translate_alembic_errors
from larp_cli.migrations.run.steps import describe_revision_steps
from larp_cli.results import AppliedRevision, Direction, Migrated

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.workspace import Workspace


def migrate(workspace: Workspace, *, target: str = "head") -> Migrated:
    """Apply the pending revisions up to ``target``.

    Args:
        workspace: The database, the project, the observer and the timeouts.
        target: A revision, a unique prefix of one, ``head``, ``heads`` or ``+N``.

    Raises:
        ConfigurationError: The target does not exist or cannot be reached.
        Refused: The database belongs to another environment.
        Locked: Another migration did not finish in time, or a table stayed locked.
        MigrationFailed: A revision failed. Those before it are committed.
    """
    with open_control(workspace.database, workspace.project, trust_text=True) as control:
        return migrate_on(control, workspace, target)


def migrate_on(control: ControlSession, workspace: Workspace, target: str) -> Migrated:
    """Apply the pending revisions. If there are any, this takes the lock and keeps it."""
    began = time.monotonic()
    before = control.read_heads()
    applied: tuple[AppliedRevision, ...] = ()
    if _has_work(control, target, before):
        control.require_own_environment("larp db migrate")
        control.hold_mutex(workspace)
        before = control.read_heads()  # another migration may have applied them
        if not _is_done(control.project, target, before):
            if control.relocate():
                return migrate_on(control, workspace, target)
            applied = _apply(control, workspace, target, before)
    return Migrated(
        database=control.database.name,
        schema=control.database.schema,
        before=before,
        after=control.read_heads() if applied else before,
        applied=applied,
        seconds=time.monotonic() - began,
    )


def _apply(
    control: ControlSession, workspace: Workspace, target: str, current: tuple[str, ...]
) -> tuple[AppliedRevision, ...]:
    from larp_cli.migrations.run.runner import Runner

    # Before anything is created: the guards rely on the stamp from the first table on.
    stamp_environment(control.connection, control.database, command="larp db migrate")
    runner = Runner(control, workspace, Direction.UP, command=lambda left: _command(target, left))
    steps = plan_upgrade(control, target, current)
    return runner.run(steps, heads=current)


def plan_upgrade(control: ControlSession, target: str, current: tuple[str, ...]) -> Sequence[Step]:
    """List the steps from the ``current`` revisions up to ``target``.

    Raises:
        ConfigurationError: The target or a current revision has no file.
    """
    if not target.strip():
        raise ConfigurationError("the target revision is empty", hint="larp db migrate head")
    project = control.project
    require_known(control, current)
    heads = find_heads(project.graph)
    if target == "head" and len(heads) > 1:
        raise ConfigurationError(
            f"the revisions have several heads: {', '.join(heads)}",
            hint=f"alembic -c {project.config_file} merge heads, or larp db migrate heads",
        )
    with translate_alembic_errors(project.config_file):
        steps = list_upgrade_steps(project.script, target, current)
    return describe_revision_steps(steps)


def require_known(control: ControlSession, current: tuple[str, ...]) -> None:
    """Refuse to change a database that newer code has migrated.

    Raises:
        ConfigurationError: A current revision has no file.
    """
    missing = find_unknown(control.project.graph, current)
    if missing:
        runs = Ledger(control.database.bookkeeping).read_upgrades(control.connection, missing)
        raise ConfigurationError(
            f"the database is ahead of this code: it is at {', '.join(missing)},"
            " which has no revision file",
            hint=suggest_newer_code(runs),
        )


def _command(target: str, left: int) -> str:
    """Write the command that continues a failed run, with ``left`` steps to go."""
    if target in ("head", "heads"):
        return "larp db migrate"
    relative = target.startswith("+")  # to the revision before the run
    return f"larp db migrate {f'+{left}' if relative else shlex.quote(target)}"


def _has_work(control: ControlSession, target: str, current: tuple[str, ...]) -> bool:
    """Return whether anything is pending, without importing Alembic if possible."""
    if _is_done(control.project, target, current):
        return False
    if control.project.legible_graph is not None and target in ("head", "heads"):
        return True
    return bool(plan_upgrade(control, target, current))


def _is_done(project: Project, target: str, current: tuple[str, ...]) -> bool:
    """Return whether the database is at head; False if only Alembic can tell."""
    graph = project.legible_graph
    if target not in ("head", "heads") or graph is None or not has_every_revision(graph, current):
        return False
    # With several heads, "head" is ambiguous: plan_upgrade() reports that.
    return target == "heads" or len(find_heads(graph)) == 1
