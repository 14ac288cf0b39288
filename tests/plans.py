"""Asking ``larp db plan``, and revisions to plan."""

from __future__ import annotations

from typing import Any

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.projects import sql

HERO = sql(
    "CREATE TABLE hero (id int PRIMARY KEY, name text, age int)",
    "INSERT INTO hero SELECT n, 'n', n FROM generate_series(1, 1000) n",
    "ANALYZE hero",
)
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index("ix_hero_name", "hero", ["name"], postgresql_concurrently=True)
"""


def plan(larp: Larp, *arguments: str) -> list[dict[str, Any]]:
    """Ask for a plan that has to succeed; returns its revisions."""
    outcome = larp("db", "plan", "--json", *arguments)
    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.document["changed"] is False
    revisions: list[dict[str, Any]] = outcome.result["revisions"]
    return revisions
