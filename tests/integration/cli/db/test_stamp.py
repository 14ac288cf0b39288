"""``larp db stamp``: recorded, confirmed, noted, and nothing run."""

from __future__ import annotations

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import HEAD, has, query, versions


def test_a_stamp_is_recorded_and_noted_and_runs_nothing(larp: Larp, database: str) -> None:
    """The version table says the revision, the ledger says stamp, the schema stays empty."""
    name = database.rpartition("/")[2]
    outcome = larp(
        "db", "stamp", "head", "--json", "--confirm", name, env={"DATABASE_URL": database}
    )
    history = larp("db", "history", "--json", env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.result["before"] == []
    assert outcome.result["after"] == [HEAD]
    assert versions(database) == [HEAD]
    assert [run["direction"] for run in history.result["runs"]] == ["stamp"]
    assert query(database, "SELECT FROM pg_proc WHERE proname = 'set_updated_at'") == []


def test_a_stamp_is_refused_without_confirmation(larp: Larp, database: str) -> None:
    """Off a terminal the name is wanted, and nothing is recorded without it."""
    outcome = larp("db", "stamp", "head", env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.REFUSED
    assert not has(database, "larp_manager.alembic_version")


def test_the_stamp_that_is_there_is_nothing_to_do(larp: Larp, initialised: str) -> None:
    """Stamping what is stamped asks for nothing and changes nothing."""
    outcome = larp("db", "stamp", HEAD, "--json", env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is False


def test_an_unknown_revision_is_a_configuration_error(larp: Larp, initialised: str) -> None:
    """A revision that is not on disk cannot be stamped."""
    outcome = larp("db", "stamp", "nowhere", env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "nowhere" in outcome.stderr


def test_a_stamp_mends_a_database_whose_revision_is_unknown(larp: Larp, initialised: str) -> None:
    """A stamp that no file stands for is replaced, whatever it was."""
    query(initialised, "UPDATE larp_manager.alembic_version SET version_num = 'unheard of'")
    name = initialised.rpartition("/")[2]
    outcome = larp("db", "stamp", "head", "--confirm", name, env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert versions(initialised) == [HEAD]


def test_base_takes_the_stamp_away(larp: Larp, initialised: str) -> None:
    """Stamping base leaves the tables and forgets the revision."""
    name = initialised.rpartition("/")[2]
    outcome = larp("db", "stamp", "base", "--confirm", name, env={"DATABASE_URL": initialised})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert versions(initialised) == []
