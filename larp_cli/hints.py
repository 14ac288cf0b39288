"""Hints that both the work and the rendering of its result give."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from larp_cli.results import LedgerEntry


def suggest_newer_code(runs: tuple[LedgerEntry, ...]) -> str:
    """Say what to deploy when the database is ahead of the code.

    Args:
        runs: The ledger entries of the unknown revisions, newest first.
    """
    if not runs:
        return "deploy the version of the code that contains these revisions"
    newest = runs[0]
    return (
        f"deploy the code of larp {newest.larp_version}, with which {newest.operator} on"
        f" {newest.host} applied them"
    )
