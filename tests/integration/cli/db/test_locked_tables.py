"""A table that somebody keeps locked: nothing waits long, and who keeps it is named."""

from __future__ import annotations

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, has
from tests.integration.cli.db.conftest import Use


@pytest.mark.parametrize("words", ["status", "migrate", "history", "plan", "check"])
def test_a_locked_version_table_is_told_with_who_holds_it(
    larp: Larp, use: Use, ready: str, words: str
) -> None:
    """An operator who asks why nothing moves must not wait for the same lock."""
    use(ready)
    with psycopg.connect(ready, application_name="vacuum at night") as holder:
        pid = holder.info.backend_pid
        holder.execute(f"LOCK TABLE {SCHEMA}.alembic_version IN ACCESS EXCLUSIVE MODE")
        outcome = larp("db", words, "--json", env={"MIGRATION_LOCK_TIMEOUT": "0.2"})

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stdout
    assert f"pid {pid} " in outcome.document["error"]["message"]
    assert "(vacuum at night, user" in outcome.document["error"]["message"]


def test_a_reset_that_a_reader_holds_up_drops_nothing(larp: Larp, use: Use, ready: str) -> None:
    """It says so, and by whom."""
    use(ready)
    with psycopg.connect(ready, application_name="report") as holder:
        holder.execute(f"SELECT * FROM {SCHEMA}.alembic_version")
        outcome = larp(
            *("db", "reset", "--yes", "--no-backup", "--json"),
            env={"MIGRATION_LOCK_TIMEOUT": "0.2"},
        )

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stdout
    assert "(report, user" in outcome.document["error"]["message"]
    assert outcome.document["error"]["message"].endswith("; nothing was dropped")
    assert has(ready, f"{SCHEMA}.alembic_version")
