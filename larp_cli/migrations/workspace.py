"""The context of every command that changes a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.timeouts import Timeouts
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A database, its Alembic project, and how to report and time out."""

    database: Database
    """The database by the migration URL. Its server must be up."""
    project: Project
    """The Alembic project."""
    observer: Observer
    """Gets every phase and every revision."""
    timeouts: Timeouts
