"""``larp db restore``: what has to be said first, and files that are no backup of the schema."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, dump, held_mutex, name_of, query, value
from tests.restoring import confirmed, hint_of, pg_dump
from tests.settings import IN_PRODUCTION

# --- guards ---------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--confirm", "wrong"), ("--confirm", "")])
def test_without_the_right_word_nothing_is_changed(
    larp: Larp, saved: str, unchanged: None, larp_home: Path, arguments: tuple[str, ...]
) -> None:
    """Off a terminal it refuses with 6; its hint, typed, does what was asked for."""
    outcome = larp("db", "restore", "schema.dump", "--json", "--no-owner", *arguments)

    assert outcome.exit_code == ExitCode.REFUSED
    path = Path("schema.dump").absolute()
    assert hint_of(outcome) == (f"larp db restore {path} --no-owner --confirm {name_of(saved)}")
    assert f"schema {SCHEMA} of database {name_of(saved)}" in outcome.stderr
    assert f"this replaces the schema with {path}" in outcome.stderr
    assert not (larp_home / "backups").exists()


def test_production_asks_for_more(larp: Larp, saved: str) -> None:
    """--yes and the name are not enough where the database is production's."""
    query(saved, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")

    stray = larp(*confirmed(saved, "--yes", "--allow-production"))
    refused = larp(*confirmed(saved, "--yes"), env=IN_PRODUCTION)
    done = larp(*confirmed(saved, "--allow-production"), env=IN_PRODUCTION)

    assert stray.exit_code == refused.exit_code == ExitCode.REFUSED
    assert "is stamped production" in stray.document["error"]["message"]
    assert "--allow-production" in hint_of(refused)
    assert done.exit_code == ExitCode.OK, done.stdout
    assert value(saved, f"SELECT value FROM {SCHEMA}.larp_metadata") == "production"


def test_at_a_terminal_the_name_is_typed(saved: str) -> None:
    """What will be lost is shown, and the database's name goes on."""
    query(saved, f"DELETE FROM {SCHEMA}.hero")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "larp_cli", "db", "restore", "schema.dump"],
        env={**os.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )
    child.expect("this replaces the schema")
    child.expect("Type the database's name")
    child.sendline(name_of(saved))
    child.expect("to undo")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == ExitCode.OK
    assert value(saved, f"SELECT count(*) FROM {SCHEMA}.hero") == 9


# --- files that are no backup ---------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, ExitCode.CONFIGURATION, "does not exist"),
        (b"", ExitCode.FAILURE, "is not a readable archive"),
        (b"SELECT 1;\n", ExitCode.FAILURE, "is not a readable archive"),
        (b"PGDMP\x01\x0e\x00\x04\x08\x01", ExitCode.FAILURE, "is not a readable archive"),
    ],
)
def test_a_file_that_is_no_backup_is_told(
    larp: Larp, full: str, unchanged: None, content: bytes | None, code: ExitCode, said: str
) -> None:
    """Missing, empty, SQL or a bare head: nothing is touched, and nobody is asked."""
    if content is not None:
        Path("schema.dump").write_bytes(content)

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == code, outcome.stdout
    assert said in outcome.document["error"]["message"]
    assert hint_of(outcome)


def test_a_directory_is_no_backup(larp: Larp, full: str) -> None:
    """A directory is told as such."""
    outcome = larp("db", "restore", ".", "--json", "--confirm", name_of(full))

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "is a directory" in outcome.document["error"]["message"]


@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_a_damaged_backup_is_found_out_before_anything_is_touched(
    larp: Larp, saved: str, damage: str
) -> None:
    """The table of contents is at the beginning and whole; the rest is read as well."""
    query(
        saved,
        f"INSERT INTO {SCHEMA}.hero (name) SELECT md5(n::text) FROM generate_series(1, 5000) n",
    )
    assert larp("db", "backup", "schema.dump", "--force").exit_code == ExitCode.OK
    path = Path("schema.dump")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) * 2 // 3 :]
    else:
        data[len(data) // 2 : len(data) // 2 + 64] = b"\0" * 64
    path.write_bytes(data)
    before = dump(saved)

    with held_mutex(saved):
        outcome = larp(*confirmed(saved))

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    assert "is truncated or damaged" in outcome.document["error"]["message"]
    assert dump(saved) == before


def test_the_backup_of_another_schema_is_refused(
    larp: Larp, full: str, unchanged: None, tmp_path: Path
) -> None:
    """Both schemas are named, and the hint says how to restore the other."""
    pg_dump(full, tmp_path / "schema.dump", "--schema=others")

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == ExitCode.CONFIGURATION
    message = outcome.document["error"]["message"]
    assert message.endswith(f"contains the schema others, not {SCHEMA}")
    assert hint_of(outcome).startswith("DATABASE_SCHEMA=others larp db restore ")


def test_a_dump_of_several_schemas_is_refused(
    larp: Larp, full: str, unchanged: None, tmp_path: Path
) -> None:
    """Restoring touches nothing outside the schema, so the dump must not hold anything else."""
    pg_dump(full, tmp_path / "schema.dump")

    outcome = larp(*confirmed(full))

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert f"contains more than the schema {SCHEMA}: " in outcome.document["error"]["message"]
    assert "others" in outcome.document["error"]["message"]
