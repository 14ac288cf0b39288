from __future__ import annotations

from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import FIRST, HEAD, SCHEMA, dump, has, held_mutex, query, value, versions
from tests.integration.cli.db.conftest import Use
from tests.processes import PATIENCE
from tests.servers import OWNER, Server

FUNCTION = "SELECT count(*) FROM pg_proc WHERE proname = 'set_updated_at'"


def test_init_makes_all_that_is_missing_on_every_server(
    larp: Larp, use: Use, every_server: Server
) -> None:
    """From a missing database to one at head: schema, function, revision and stamp."""
    url = use(every_server.url(every_server.new_name()))

    outcome = larp("db", "init", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.document["changed"] is True
    assert outcome.result["created_database"] is True
    assert outcome.result["migrated"]["after"] == [HEAD]
    assert versions(url) == [HEAD]
    assert value(url, FUNCTION) == 1
    assert query(url, f"SELECT key, value FROM {SCHEMA}.larp_metadata") == [
        ("environment", "development")
    ]


def test_a_second_init_says_that_there_is_nothing_to_do(
    larp: Larp, use: Use, missing_database: str
) -> None:
    """Doing it again changes nothing, takes no lock, and says so."""
    url = use(missing_database)
    assert larp("db", "init").exit_code == ExitCode.OK
    before = dump(url)

    with held_mutex(url):
        outcome = larp("db", "init", "--json", env={"MIGRATION_MUTEX_WAIT": "0"})
        plain = larp("db", "init", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == plain.exit_code == ExitCode.OK
    assert outcome.document["changed"] is False
    assert outcome.result["created_database"] is False
    assert plain.stdout.startswith("nothing to do: ")
    assert dump(url) == before


def test_five_processes_at_once_make_one_schema(
    larp_process: LarpProcess, use: Use, missing_database: str
) -> None:
    """Several at once do it once; none of them fails."""
    url = use(missing_database)

    processes = [larp_process.start("db", "init", "--json") for _ in range(5)]
    outputs = [process.communicate(timeout=PATIENCE) for process in processes]

    assert [process.returncode for process in processes] == [0] * 5, outputs
    assert versions(url) == [HEAD]
    assert value(url, FUNCTION) == 1
    assert sum('"created_database": true' in stdout for stdout, _ in outputs) == 1
    applied = f'"revision": "{HEAD}"'
    assert sum(applied in stdout for stdout, _ in outputs) == 1


@pytest.mark.parametrize(
    "name", ["with space", "Upper", "quo\"te'd", "größe-ü", "a/b?c#d%e", "; drop", "select"]
)
def test_a_database_may_have_any_name(larp: Larp, use: Use, server: Server, name: str) -> None:
    """Whatever PostgreSQL takes as a database's name works, and is created just so."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    url = use(server.url(quote(name, safe="")))

    outcome = larp("db", "init", "--json")
    again = larp("db", "status", "--json")

    server.created.append(name)
    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.result["migrated"]["database"] == name
    assert value(url, "SELECT current_database()") == name
    assert again.exit_code == ExitCode.OK


@pytest.mark.usefixtures("first_revision")
@pytest.mark.parametrize("schema", ["Larp", "select", "größe", "a$$b", "x" * 63])
def test_a_schema_may_have_any_name_that_settings_allow(
    larp: Larp, empty: str, schema: str
) -> None:
    """Upper case, reserved words and the like are quoted wherever they go."""
    env = {"DATABASE_SCHEMA": schema}

    outcome = larp("db", "init", "--json", env=env)
    status = larp("db", "status", "--json", env=env)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert status.exit_code == ExitCode.OK
    assert status.result["schema"] == schema
    table = sql.Identifier(schema, "alembic_version").as_string()
    assert versions(empty, table) == [FIRST]
    assert not has(empty, f"{SCHEMA}.alembic_version")


def test_a_user_who_may_not_create_databases_is_told_who_may(
    larp: Larp, use: Use, server: Server, missing_database: str
) -> None:
    """Without CREATEDB a missing database ends in an error with the administrator's command."""
    name = missing_database.rpartition("/")[2]
    server.execute("DROP ROLE IF EXISTS humble")
    server.execute("CREATE ROLE humble LOGIN PASSWORD 'sesame'")
    use(server.url(name, user="humble", password="sesame"))

    outcome = larp("db", "init", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "humble may not create the database" in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"].endswith(f"createdb -O humble {name}")
    assert "sesame" not in outcome.stdout + outcome.stderr


def test_a_schema_that_an_administrator_made_is_enough(
    larp: Larp, use: Use, every_server: Server
) -> None:
    """Without CREATE on the database, extensions are warned of, and the rest is made."""
    server = every_server
    name = server.create()
    server.execute("DROP ROLE IF EXISTS tenant")
    server.execute("CREATE ROLE tenant LOGIN PASSWORD 'sesame'")
    server.execute(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION tenant", name)
    url = use(server.url(name, user="tenant", password="sesame"))

    outcome = larp("db", "init", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.stderr.count("warning: continuing without extension") == 2
    assert versions(url) == [HEAD]
    server.execute("DROP OWNED BY tenant", name)
    server.execute("DROP ROLE tenant")


def test_a_user_who_may_not_create_the_schema_is_told_so(
    larp: Larp, use: Use, server: Server
) -> None:
    """No schema and no right to make one is an error that names the right, not a bug."""
    server.execute("DROP ROLE IF EXISTS humble")
    server.execute("CREATE ROLE humble LOGIN PASSWORD 'sesame'")
    url = use(server.url(server.create(), user="humble", password="sesame"))

    outcome = larp("db", "init", "--json")

    assert outcome.exit_code in (ExitCode.FAILURE, ExitCode.MIGRATION_FAILED)
    assert "permission denied" in outcome.document["error"]["message"]
    assert "bug" not in outcome.stderr + outcome.stdout
    assert not has(url, f"{SCHEMA}.alembic_version")


def test_extensions_are_installed_where_the_server_has_them(
    larp: Larp, use: Use, every_server: Server
) -> None:
    """An extension that is there is installed in our schema; one that is not is a warning."""
    url = use(every_server.url(every_server.create()))
    available = {
        row[0]
        for row in query(
            url,
            "SELECT name FROM pg_available_extensions WHERE name IN ('uuid-ossp', 'pgcrypto')",
        )
    }

    outcome = larp("db", "init", "--json")

    installed = query(
        url,
        "SELECT extname FROM pg_extension WHERE extnamespace = %s::regnamespace",
        SCHEMA,
    )
    assert outcome.exit_code == ExitCode.OK
    assert {row[0] for row in installed} == available
    assert outcome.stderr.count("warning: continuing without") == 2 - len(available)


def test_ddl_goes_by_the_url_for_migrations(larp: Larp, server: Server) -> None:
    """With DATABASE_MIGRATION_URL the objects belong to its role; the application's may be poor."""
    name = server.create()
    server.execute("DROP ROLE IF EXISTS application")
    server.execute("CREATE ROLE application LOGIN PASSWORD 'sesame'")
    env = {
        "DATABASE_URL": server.url(name, user="application", password="sesame"),
        "DATABASE_MIGRATION_URL": server.url(name),
    }

    outcome = larp("db", "init", "--json", env=env)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = %s"
    assert value(server.url(name), owner, SCHEMA) == OWNER


def test_init_refuses_the_database_of_another_environment(larp: Larp, ready: str) -> None:
    """A development shell with production's URL is stopped before anything is changed."""
    query(ready, f"UPDATE {SCHEMA}.larp_metadata SET value = 'production'")
    before = dump(ready)

    outcome = larp("db", "init", "--json")

    assert outcome.exit_code == ExitCode.REFUSED
    assert "is stamped production" in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"].endswith("ENVIRONMENT=production larp db init")
    assert dump(ready) == before


def test_the_environment_is_stamped_as_the_settings_name_it(larp: Larp, empty: str) -> None:
    """The stamp is the environment of whoever initialised, and status shows it."""
    outcome = larp("db", "init", env={"ENVIRONMENT": "staging"})
    status = larp("db", "status", "--json", env={"ENVIRONMENT": "staging"})

    assert outcome.exit_code == ExitCode.OK
    assert status.result["environment"] == "staging"


def test_init_stops_at_another_migrator_and_changes_nothing(larp: Larp, empty: str) -> None:
    """An empty database whose mutex is held stays empty."""
    before = dump(empty)

    with held_mutex(empty):
        outcome = larp("db", "init", "--json", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.LOCKED
    assert dump(empty) == before


def test_a_server_that_takes_no_more_connections_is_no_bug(
    larp: Larp, use: Use, server: Server
) -> None:
    """A database that allows no connection ends in exit code 5."""
    name = server.create()
    server.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 1")
    use(server.url(name))

    with psycopg.connect(server.url(name)):
        outcome = larp("db", "init", "--json")

    assert outcome.exit_code == ExitCode.UNREACHABLE
