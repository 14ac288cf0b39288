"""A database that newer code migrated: what of ours it has cannot be known from here."""

from __future__ import annotations

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import HEAD, SCHEMA, query


@pytest.fixture
def ahead(ready: str) -> str:
    """URL of a database that is stamped with a revision of newer code."""
    query(ready, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")
    return ready


def test_its_status_lists_nothing_as_pending(larp: Larp, ahead: str) -> None:
    """Whoever reads ``pending`` would migrate what the database has long had."""
    outcome = larp("db", "status", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert (outcome.result["state"], outcome.result["pending"]) == ("ahead", [])
    assert "Pending" not in larp("db", "status").stdout


def test_its_history_does_not_call_a_revision_pending(larp: Larp, ahead: str) -> None:
    """Neither applied nor pending: it says that it does not know."""
    outcome = larp("db", "history", "--json")
    plain = larp("db", "history")

    assert outcome.exit_code == ExitCode.OK
    applied = {entry["revision"]: entry["applied"] for entry in outcome.result["revisions"]}
    assert applied[HEAD] is None
    assert "pending" not in plain.stdout
    assert f"unknown\t{HEAD}" in plain.stdout


def test_its_health_lists_nothing_as_pending(larp: Larp, ahead: str) -> None:
    """The reason is that it is ahead, and the count of what is pending is not raised."""
    outcome = larp("health", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["pending"] == []
