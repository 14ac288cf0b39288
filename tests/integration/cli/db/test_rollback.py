"""``larp db rollback``: what was made is unmade, guarded and noted."""

from __future__ import annotations

from pathlib import Path
from secrets import token_urlsafe

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import HEAD, dump, has, name_of, query, versions
from tests.projects import ForeignProject, foreign_project, sql
from tests.servers import Server


@pytest.fixture
def project(tmp_path: Path) -> ForeignProject:
    """Three revisions that can be undone."""
    built = foreign_project(tmp_path / "project")
    below = None
    for name in ("r1", "r2", "r3"):
        built.revision(
            name,
            sql(f"CREATE TABLE {name}_table (id bigint)"),
            after=below,
            downgrade=sql(f"DROP TABLE {name}_table"),
        )
        below = name
    return built


@pytest.fixture
def migrated(larp: Larp, project: ForeignProject, database: str) -> str:
    """URL of a database at r3."""
    larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})
    return database


def test_one_step_is_the_default(larp: Larp, project: ForeignProject, migrated: str) -> None:
    """Without --steps and --to the newest revision alone is undone, and noted in the ledger."""
    outcome = larp(
        "db", "rollback", "--json", "--confirm", name_of(migrated), "-c", project.config,
        env={"DATABASE_URL": migrated},
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.document["changed"] is True
    assert [item["revision"] for item in outcome.result["undone"]] == ["r3"]
    assert outcome.result["after"] == ["r2"]
    assert "to be undone: r3" in outcome.stderr
    history = larp("db", "history", "--json", "-c", project.config, env={"DATABASE_URL": migrated})
    newest = history.result["runs"][0]
    assert (newest["revision"], newest["direction"], newest["outcome"]) == (
        "r3",
        "down",
        "succeeded",
    )


@pytest.mark.parametrize(
    ("arguments", "left"),
    [(("--steps", "2"), ["r1"]), (("--to", "r1"), ["r1"]), (("--to", "base"), [])],
)
def test_how_far_to_go_back(
    larp: Larp, project: ForeignProject, migrated: str, arguments: tuple[str, str], left: list[str]
) -> None:
    """--steps counts, --to names what stays, base undoes all."""
    outcome = larp(
        "db", "rollback", *arguments, "--confirm", name_of(migrated), "-c", project.config,
        env={"DATABASE_URL": migrated},
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert versions(migrated, "alembic_version") == left


def test_off_a_terminal_it_wants_the_name(
    larp: Larp, project: ForeignProject, migrated: str
) -> None:
    """Without --confirm it is refused, the flag is named, and nothing is undone."""
    before = dump(migrated)
    outcome = larp("db", "rollback", "-c", project.config, env={"DATABASE_URL": migrated})

    assert outcome.exit_code == ExitCode.REFUSED
    assert f"--confirm {name_of(migrated)}" in outcome.stderr
    assert "r3" in outcome.stderr
    assert dump(migrated) == before


def test_what_will_be_lost_is_what_the_revisions_undo(
    larp: Larp, project: ForeignProject, migrated: str
) -> None:
    """The statements and the tables that they touch are shown, and no other table."""
    query(migrated, "INSERT INTO r3_table SELECT generate_series(1, 7)")
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute("ANALYZE r3_table")
    outcome = larp("db", "rollback", "-c", project.config, env={"DATABASE_URL": migrated})

    assert "note:   DROP TABLE r3_table;" in outcome.stderr
    assert "public.r3_table: about 7 rows" in outcome.stderr
    assert "r2_table" not in outcome.stderr


def test_of_a_downgrade_that_asks_the_database_every_table_is_at_stake(
    larp: Larp, project: ForeignProject, migrated: str
) -> None:
    """What cannot be told beforehand is said to be so."""
    ask = 'if op.get_bind().execute(sa.text("SELECT 1")).scalar():\n    op.drop_table("r4_table")'
    project.revision("r4", sql("CREATE TABLE r4_table (id bigint)"), after="r3", downgrade=ask)
    larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": migrated})
    outcome = larp("db", "rollback", "-c", project.config, env={"DATABASE_URL": migrated})

    assert "asks the database" in outcome.stderr
    assert "public.r1_table: about 0 rows" in outcome.stderr


def test_steps_and_to_exclude_each_other(larp: Larp) -> None:
    """Two ways to say how far are one too many."""
    outcome = larp("db", "rollback", "--steps", "1", "--to", "base")

    assert outcome.exit_code == ExitCode.USAGE


def test_more_steps_than_there_are_is_an_error(
    larp: Larp, project: ForeignProject, migrated: str
) -> None:
    """Going back further than the beginning is refused, and nothing is undone."""
    outcome = larp(
        "db", "rollback", "--steps", "9", "--confirm", name_of(migrated), "-c", project.config,
        env={"DATABASE_URL": migrated},
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert versions(migrated, "alembic_version") == ["r3"]


def test_a_downgrade_that_fails_says_what_is_undone(
    larp: Larp, project: ForeignProject, migrated: str
) -> None:
    """What was undone before the failure stays undone, and the message names it."""
    query(migrated, "DROP TABLE r2_table")
    outcome = larp(
        "db", "rollback", "--to", "base", "--confirm", name_of(migrated), "-c", project.config,
        env={"DATABASE_URL": migrated},
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "committed before it in this run: r3" in outcome.stderr
    assert versions(migrated, "alembic_version") == ["r2"]
    assert has(migrated, "r1_table")


def test_all_the_way_down_and_up_again_gives_the_same(larp: Larp, initialised: str) -> None:
    """Rolling everything back and migrating again ends in the same catalogue."""
    environment = {"DATABASE_URL": initialised}
    before = dump(initialised, "--schema-only")
    down = larp(
        "db", "rollback", "--to", "base", "--confirm", name_of(initialised), env=environment
    )
    up = larp("db", "migrate", env=environment)

    assert (down.exit_code, up.exit_code) == (ExitCode.OK, ExitCode.OK), down.stderr + up.stderr
    assert versions(initialised) == [HEAD]
    assert dump(initialised, "--schema-only") == before


def test_a_production_database_needs_its_flag(larp: Larp, server: Server) -> None:
    """In production the name alone is not enough."""
    url = server.url(server.create())
    environment = {
        "DATABASE_URL": url,
        "ENVIRONMENT": "production",
        "SECRET_KEY": token_urlsafe(48),
    }
    larp("db", "init", env=environment)
    name = name_of(url)
    refused = larp("db", "rollback", "--confirm", name, env=environment)
    allowed = larp("db", "rollback", "--confirm", name, "--allow-production", env=environment)

    assert refused.exit_code == ExitCode.REFUSED
    assert "--allow-production" in refused.stderr
    assert allowed.exit_code == ExitCode.OK, allowed.stderr


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_target_is_a_usage_error(
    larp: Larp, project: ForeignProject, migrated: str, empty: str
) -> None:
    """A variable of the shell that is not set undoes nothing."""
    outcome = larp(
        "db", "rollback", "--to", empty, "--json", "--confirm", name_of(migrated),
        "-c", project.config, env={"DATABASE_URL": migrated},
    )  # fmt: skip

    assert outcome.exit_code == ExitCode.USAGE
    assert versions(migrated, "public.alembic_version") == ["r3"]
