"""Load development data, and keep it out of production databases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.errors import Refused
from larp_cli.migrations.control import ControlSession, open_control
from larp_cli.migrations.seed_files import is_seeded, list_seed_files, load_seeds
from larp_cli.results import Seeded
from larp_cli.settings import Environment

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.workspace import Workspace


def seed(
    workspace: Workspace, *, seeds: Path, environment: str | None, allow_production: bool
) -> Seeded:
    """Load the development data, even if it was loaded before.

    Args:
        workspace: The database, the project and the observer.
        seeds: Directory of the files.
        environment: Environment whose files are loaded after the common ones; None means
            ENVIRONMENT.
        allow_production: Whether a production database may be seeded.

    Raises:
        Refused: The database belongs to another environment, or to production.
        CommandFailed: A statement failed. Nothing was loaded.
    """
    with open_control(workspace.database, workspace.project) as control:
        stamped = control.require_own_environment("larp db seed")
        if not allow_production:
            refuse_production(control.database, stamped)
        control.hold_mutex(workspace)
        name = environment or control.database.environment.value
        return load_seeds(control.database, seeds, name, workspace.observer)


def seed_once(control: ControlSession, workspace: Workspace, seeds: Path) -> Seeded:
    """Load the development data, unless exactly these files were loaded before."""
    environment = control.database.environment.value
    control.hold_mutex(workspace)
    if is_seeded(control.connection, control.database, seeds, environment):
        count = len(list_seed_files(seeds, environment))
        return Seeded(environment=environment, directory=seeds, files=(), already_loaded=count)
    return load_seeds(control.database, seeds, environment, workspace.observer)


def refuse_production(database: ManagedDatabase, stamped: str | None) -> None:
    """Refuse to load development data into a production database.

    Raises:
        Refused: The settings or the stamp say that this is production.
    """
    if Environment.PRODUCTION.value in (stamped, database.environment.value):
        raise Refused(
            f"{database.name} is a production database; seeds are development data",
            hint="larp db seed --allow-production",
        )
