"""What larp notes is the owner's to write, whatever default privileges give to others."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, query, value
from tests.servers import OWNER, Server

TABLES = ("alembic_version", "larp_ledger", "larp_metadata")


@pytest.fixture
def application(server: Server, database: str) -> str:
    """A role to which the owner's default privileges give all that an application needs."""
    role = f'app "{database.rpartition("/")[2]}"'
    server.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    for what in ("USAGE ON SCHEMAS", "SELECT, INSERT, UPDATE, DELETE ON TABLES"):
        grant = "ALTER DEFAULT PRIVILEGES GRANT {} TO {}"
        query(database, sql.SQL(grant).format(sql.SQL(what), sql.Identifier(role)).as_string())
    return role


def test_the_application_may_read_the_books_and_not_write_them(
    larp: Larp, database: str, application: str
) -> None:
    """Else who has its password could disarm the guard, or wipe the trail."""
    environment = {"DATABASE_URL": database}
    assert larp("db", "init", env=environment).exit_code == ExitCode.OK
    query(database, f"CREATE TABLE {SCHEMA}.theirs ()")

    def may(table: str, right: str) -> bool:
        asked = "SELECT has_table_privilege(%s, %s, %s)"
        return bool(value(database, asked, application, f"{SCHEMA}.{table}", right))

    assert may("theirs", "DELETE")
    for table in TABLES:
        assert may(table, "SELECT")
        assert not [right for right in ("INSERT", "UPDATE", "DELETE") if may(table, right)]
    assert larp("db", "reset", "--yes", "--no-backup", env=environment).exit_code == ExitCode.OK
    assert not any(may(table, "DELETE") for table in TABLES)


def test_a_restore_does_not_give_the_rights_back(
    larp: Larp, database: str, application: str, tmp_path: Path
) -> None:
    """What a dump makes anew has the default privileges again, until larp takes them."""
    environment = {"DATABASE_URL": database}
    file = str(tmp_path / "a.dump")
    for words in (("init",), ("backup", file), ("restore", file, "--yes", "--no-backup")):
        outcome = larp("db", *words, env=environment)
        assert outcome.exit_code == ExitCode.OK, outcome.stderr

    for table in TABLES:
        asked = "SELECT has_table_privilege(%s, %s, 'UPDATE')"
        assert value(database, asked, application, f"{SCHEMA}.{table}") is False


def test_a_group_that_the_owner_belongs_to_keeps_its_rights(
    larp: Larp, server: Server, database: str
) -> None:
    """Its members take turns in migrating."""
    group = sql.Identifier(f"deployers of {database.rpartition('/')[2]}")
    server.execute(sql.SQL("CREATE ROLE {}").format(group))
    server.execute(sql.SQL("GRANT {} TO {}").format(group, sql.Identifier(OWNER)))
    grant = "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {}"
    query(database, sql.SQL(grant).format(group).as_string())
    assert larp("db", "init", env={"DATABASE_URL": database}).exit_code == ExitCode.OK

    for table in TABLES:
        asked = "SELECT has_table_privilege(%s, %s, 'UPDATE')"
        name = group.as_string().strip('"')
        assert value(database, asked, name, f"{SCHEMA}.{table}") is True
