"""Enumerated types that come with a new column: Alembic leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, dump, query
from tests.revisions import Copy, write

SIZE = f'sa.Enum("big", "a:b", name="size", schema="{SCHEMA}")'
WITHOUT_LARP = ("--exclude-table=*.larp_ledger*", "--exclude-table=*.alembic_version")


@pytest.fixture
def migrated(larp: Larp, copy: Copy) -> Copy:
    """A copy of our project whose tables are there."""
    write(larp, "Add players")
    assert larp("db", "migrate").exit_code == ExitCode.OK
    return copy


def add_column(copy: Copy, kind: str) -> None:
    """Give the players another column."""
    environment = copy.directory / "alembic" / "env.py"
    text = environment.read_text()
    column = 'sa.Column("mood", mood),'
    assert column in text
    environment.write_text(text.replace(column, f'{column} sa.Column("size", {kind}),'))


@pytest.mark.parametrize("kind", [SIZE, f"ARRAY({SIZE})"])
def test_a_new_column_brings_its_type(larp: Larp, migrated: Copy, empty: str, kind: str) -> None:
    """The type is made before the column, and gone after a downgrade."""
    before = dump(empty, *WITHOUT_LARP)
    add_column(migrated, kind)
    assert "CREATE TYPE" in larp("db", "check").stdout

    write(larp, "Add sizes")

    assert larp("db", "migrate").exit_code == ExitCode.OK
    assert larp("db", "check").exit_code == ExitCode.OK
    assert larp("db", "rollback", "--yes").exit_code == ExitCode.OK
    assert dump(empty, *WITHOUT_LARP) == before
    assert larp("db", "migrate").exit_code == ExitCode.OK


def test_a_type_that_is_there_is_not_made(larp: Larp, migrated: Copy, empty: str) -> None:
    """A second column of the same type takes it as it is, and a downgrade leaves it."""
    add_column(migrated, "mood")

    text = Path(write(larp, "Add a second mood").result["path"]).read_text()

    assert "TYPE" not in text
    assert larp("db", "migrate").exit_code == ExitCode.OK


def test_a_type_that_a_new_table_makes_is_not_made_twice(
    larp: Larp, migrated: Copy, empty: str
) -> None:
    """op.create_table makes the types of its own columns."""
    add_column(migrated, SIZE)
    environment = migrated.directory / "alembic" / "env.py"
    text = environment.read_text()
    table = f'sa.Table("shirt", target_metadata, sa.Column("size", {SIZE}))\n'
    environment.write_text(text.replace("guild = sa.Table(", f"{table}guild = sa.Table(", 1))

    written = Path(write(larp, "Add shirts").result["path"]).read_text()

    assert "CREATE TYPE" not in written
    assert larp("db", "migrate").exit_code == ExitCode.OK
    assert larp("db", "rollback", "--yes").exit_code == ExitCode.OK
    assert query(empty, "SELECT FROM pg_type WHERE typname = 'size'") == []
