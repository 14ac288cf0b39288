"""Loading development data, and into which databases it may be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.errors import Refused
from larp_cli.migrations.migrate import require_own_environment
from larp_cli.migrations.run.lock import migration_mutex
from larp_cli.migrations.seed_files import already_seeded, load_seeds, seed_files
from larp_cli.migrations.version_table import locate
from larp_cli.results import Seeded
from larp_cli.settings import Environment

if TYPE_CHECKING:
    from larp_cli.bookkeeping.database import ManagedDatabase
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.timeouts import Patience
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


def seed(
    database: Database,
    project: Project,
    observer: Observer,
    *,
    seeds: Path,
    environment: str | None,
    allow_production: bool,
    patience: Patience,
) -> Seeded:
    """Load the development data, also if it was loaded before.

    Args:
        database: The database, by the URL for DDL.
        project: The revisions.
        observer: Told of every file.
        seeds: Directory of the files.
        environment: Whose files are loaded besides the common ones; None means ENVIRONMENT.
        allow_production: Whether a production database may be seeded.
        patience: How long to wait for a migrator.

    Raises:
        Refused: The database is another environment's, or a production one.
        CommandFailed: A statement failed; nothing was loaded.
    """
    database = locate(database, project)
    stamped = require_own_environment(database, "larp db seed")
    if not allow_production:
        refuse_production(database, stamped)
    with migration_mutex(database, wait=patience.mutex_wait, observer=observer):
        return load_seeds(database, seeds, environment or database.environment.value, observer)


def seed_once(
    database: ManagedDatabase, seeds: Path, observer: Observer, *, mutex_wait: float
) -> Seeded:
    """Load the development data, unless exactly this was loaded before."""
    environment = database.environment.value
    with migration_mutex(database, wait=mutex_wait, observer=observer):
        if already_seeded(database, seeds, environment):
            count = len(seed_files(seeds, environment))
            return Seeded(environment=environment, directory=seeds, files=(), already_loaded=count)
        return load_seeds(database, seeds, environment, observer)


def refuse_production(database: ManagedDatabase, stamped: str | None) -> None:
    """Keep development data out of a production database.

    Raises:
        Refused: The settings, or the stamp, say that it is one.
    """
    if Environment.PRODUCTION.value in (stamped, database.environment.value):
        raise Refused(
            f"{database.name} is a production database; seeds are development data",
            hint="larp db seed --allow-production",
        )
