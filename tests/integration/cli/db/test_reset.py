"""``larp db reset``: the schema is made anew, and there is a way back."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from larp_cli.errors import ExitCode
from larp_cli.postgres.embedded import installation
from tests.conftest import Larp
from tests.databases import HEAD, SCHEMA, dump, has, name_of, query, value, versions
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import sql
from tests.servers import Server


def test_reset_makes_the_schema_anew_and_leaves_the_others(larp: Larp, full: str) -> None:
    """Our schema is as `db init` makes it; what is outside is untouched."""
    others = dump(full, "--schema=others")

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.document["changed"] is True
    assert {item["name"] for item in outcome.result["dropped"]} >= {
        "alembic_version",
        "hero",
        "larp_ledger",
        "larp_metadata",
    }
    assert outcome.result["initialised"]["migrated"]["after"] == [HEAD]
    assert not has(full, f"{SCHEMA}.hero")
    assert versions(full) == [HEAD]
    assert dump(full, "--schema=others") == others


def restored(outcome_result: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Type the command that reset printed."""
    return subprocess.run(
        [sys.executable, "-m", "larp_cli", *shlex.split(outcome_result["restore_command"])[1:]],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_backup_is_complete_and_its_command_brings_it_back(larp: Larp, full: str) -> None:
    """The printed command restores every row; pg_restore can read the file; nobody else can."""
    before = dump(full, f"--schema={SCHEMA}")

    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))

    backup = outcome.result["backup"]
    path = Path(backup["path"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == backup["size"]
    listing = subprocess.run(
        [installation() / "pg_restore", "--list", path], check=True, capture_output=True, text=True
    )
    assert f"TABLE DATA {SCHEMA} hero" in listing.stdout
    assert backup["objects"] == sum(
        1 for line in listing.stdout.splitlines() if line and not line.startswith(";")
    )
    done = restored(outcome.result)
    assert done.returncode == 0, done.stderr
    assert dump(full, f"--schema={SCHEMA}") == before


def test_a_schema_with_extensions_can_be_restored(
    larp: Larp, use: Use, every_server: Server
) -> None:
    """On every server: the extensions in the schema, and what uses them, come back."""
    url = use(every_server.url(every_server.create()))
    assert larp("db", "init").exit_code == ExitCode.OK
    if query(url, "SELECT FROM pg_extension WHERE extname = 'pgcrypto'"):
        query(
            url,
            f"CREATE TABLE {SCHEMA}.token AS SELECT {SCHEMA}.gen_random_bytes(8) AS secret",
        )
        query(
            url,
            f"ALTER TABLE {SCHEMA}.token ALTER secret SET DEFAULT {SCHEMA}.gen_random_bytes(8)",
        )
    before = dump(url)

    outcome = larp("db", "reset", "--json", "--confirm", name_of(url))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    done = restored(outcome.result)
    assert done.returncode == 0, done.stderr
    assert dump(url) == before


def test_the_command_also_restores_over_what_came_after(larp: Larp, full: str) -> None:
    """Tables that were made since the reset do not stand in the way of going back."""
    before = dump(full, f"--schema={SCHEMA}")
    outcome = larp("db", "reset", "--json", "--confirm", name_of(full))
    query(full, f"CREATE TABLE {SCHEMA}.since (id int)")

    done = restored(outcome.result)

    assert done.returncode == 0, done.stderr
    assert dump(full, f"--schema={SCHEMA}") == before


def test_how_to_go_back_is_said_before_anything_is_dropped(
    larp: Larp, build: Build, empty: str
) -> None:
    """If the new start fails, the way back is on the screen already."""
    query(empty, "CREATE SCHEMA theirs")
    project = build(options='version_table_schema="theirs"')
    project.revision("r1", sql("CREATE TABLE theirs.hero AS SELECT 1 AS id"))
    assert larp("db", "init", "-c", project.config).exit_code == ExitCode.OK
    project.revision("r1", sql("SELECT 1/0"))

    outcome = larp("db", "reset", "-c", project.config, "--confirm", name_of(empty))

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "note: to undo: " in outcome.stderr
    assert "larp db restore" in outcome.stderr


def test_without_a_backup_none_is_made(larp: Larp, full: str, larp_home: Path) -> None:
    """``--no-backup`` drops at once and says that there is no way back."""
    outcome = larp("db", "reset", "--json", "--no-backup", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.OK
    assert (outcome.result["backup"], outcome.result["restore_command"]) == (None, None)
    assert not list(larp_home.glob("**/*.dump"))
    assert not has(full, f"{SCHEMA}.hero")


def test_an_empty_database_can_be_reset(larp: Larp, empty: str) -> None:
    """Without a schema there is nothing to back up, and init follows."""
    outcome = larp("db", "reset", "--json", "--confirm", name_of(empty))

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["backup"] is None
    assert versions(empty) == [HEAD]


def test_reset_with_seed_seeds_again(larp: Larp, ready: str, tmp_path: Path) -> None:
    """After the schema is new its development data is loaded, also if it was before."""
    (tmp_path / "seeds").mkdir()
    text = f"CREATE TABLE {SCHEMA}.note AS SELECT 'seeded' AS text"
    (tmp_path / "seeds" / "1.sql").write_text(text)
    assert larp("db", "init", "--seed").exit_code == ExitCode.OK

    outcome = larp("db", "reset", "--json", "--seed", "--yes")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert len(outcome.result["initialised"]["seeded"]["files"]) == 1
    assert value(ready, f"SELECT text FROM {SCHEMA}.note") == "seeded"


@pytest.mark.parametrize("schema", ["public", "theirs"])
def test_a_foreign_project_can_be_reset(
    larp: Larp, build: Build, empty: str, tmp_path: Path, schema: str
) -> None:
    """Its schema is made anew and its revisions and seeds are run again."""
    options = ""
    if schema != "public":
        query(empty, f"CREATE SCHEMA {schema}")
        options = f'version_table_schema="{schema}"'
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "1.sql").write_text("INSERT INTO hero VALUES (1)")
    project = build(options=options)
    project.revision("r1", sql(f"CREATE TABLE {schema}.hero (id int)"))
    assert larp("db", "init", "-c", project.config, "--seed").exit_code == ExitCode.OK
    query(empty, f"INSERT INTO {schema}.hero VALUES (2)")

    arguments = ("-c", project.config, "--json", "--seed", "--confirm", name_of(empty))
    outcome = larp("db", "reset", *arguments)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert versions(empty, f"{schema}.alembic_version") == ["r1"]
    assert query(empty, f"SELECT id FROM {schema}.hero") == [(1,)]
    done = restored(outcome.result)
    assert done.returncode == 0, done.stderr
    assert query(empty, f"SELECT id FROM {schema}.hero ORDER BY id") == [(1,), (2,)]
