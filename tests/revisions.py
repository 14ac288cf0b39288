"""Writing revisions with larp, and a copy of our own project to write them in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from larp_cli.errors import ExitCode
from tests.conftest import ROOT, Larp, Outcome
from tests.databases import FIRST

MODELS = """
import enum
from typing import Any

from sqlalchemy.dialects.postgresql import ARRAY

from larp_cli.models import metadata_for

target_metadata = metadata_for("larp_manager")
mood = sa.Enum("calm", "cross", name="mood", schema="larp_manager")
guild = sa.Table(
    "guild", target_metadata, sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, unique=True), sa.Column("moods", ARRAY(mood)),
)
sa.Table(
    "player", target_metadata, sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, index=True), sa.Column("mood", mood),
    sa.Column("guild_id", sa.ForeignKey("larp_manager.guild.id")),
    sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.CheckConstraint("length(name) > 1", name="long_enough"),
)
"""
"""Models for the env.py of a copy, of which the schema knows nothing."""


@dataclass(frozen=True)
class Copy:
    """A copy of our own project, with models of its own."""

    directory: Path

    @property
    def files(self) -> set[Path]:
        """The revision files, and whatever else was left beside them."""
        versions = self.directory / "alembic" / "versions"
        return {path for path in versions.iterdir() if path.name != "__pycache__"}

    @property
    def debris(self) -> set[str]:
        """What is beside the scripts and does not belong there."""
        known = {"env.py", "script.py.mako", "versions", "__pycache__"}
        return {path.name for path in (self.directory / "alembic").iterdir()} - known


def copy_project(directory: Path) -> Path:
    """Copy our own project as it was before anybody added a revision; returns its alembic.ini.

    What the tests add to it cannot collide with a table of ours then, and it goes into any
    schema: a generated revision names the one for which it was written.
    """
    rubbish = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "alembic", directory / "alembic", ignore=rubbish)
    for name in ("alembic.ini", "pyproject.toml", ".flake8"):
        shutil.copy(ROOT / name, directory)
    for path in (directory / "alembic" / "versions").glob("*.py"):
        if f'revision: str = "{FIRST}"' not in path.read_text():
            path.unlink()
    return directory / "alembic.ini"


def write(larp: Larp, message: str, *arguments: str) -> Outcome:
    """Write a revision, which has to succeed."""
    outcome = larp("db", "revision", "-m", message, "--json", *arguments)
    assert outcome.exit_code == ExitCode.OK, outcome.stdout + outcome.stderr
    return outcome
