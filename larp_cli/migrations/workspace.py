"""What every command that changes a database works with."""

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
    """A database, the revisions for it, and how to go about it."""

    database: Database
    """By the URL for DDL; its server must be up."""
    project: Project
    """The revisions."""
    observer: Observer
    """Hears of every phase and every revision."""
    timeouts: Timeouts
