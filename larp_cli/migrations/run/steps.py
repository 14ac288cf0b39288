"""Alembic's steps, with what larp reports and records about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.migrations.alembic_api import read_script, read_stamps

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep, RevisionStep, StampStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of Alembic, with what is reported and recorded about it."""

    alembic_step: MigrationStep
    revision: str
    description: str
    file: Path | None
    """The revision file; None for a stamp, which runs no file."""


def describe_revision_steps(steps: Sequence[RevisionStep]) -> list[Step]:
    """Describe steps that run revisions."""
    return [
        Step(
            alembic_step=step,
            revision=script.revision,
            description=script.doc,
            file=Path(script.path),
        )
        for step in steps
        for script in [read_script(step)]
    ]


def describe_stamp_steps(steps: Sequence[StampStep]) -> list[Step]:
    """Describe steps that only write the version table. Emptying it is ``base``."""
    return [
        Step(
            alembic_step=step,
            revision=", ".join(read_stamps(step)) or "base",
            description="",
            file=None,
        )
        for step in steps
    ]
