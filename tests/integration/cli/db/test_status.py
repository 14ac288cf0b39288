from __future__ import annotations

import shlex
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.databases import HEAD, REVISIONS, SCHEMA, dump, has, held_mutex, query, value
from tests.integration.cli.db.conftest import Build, Use
from tests.projects import sql
from tests.servers import PASSWORD, Server, free_port


def typed(larp: Larp, hint: str) -> Outcome:
    """Type the command that a hint ends with."""
    words = shlex.split(hint[hint.index("larp ") :])
    return larp(*words[1:])


def status(larp: Larp) -> Outcome:
    """Ask for the status, and check that both formats come to the same."""
    plain = larp("db", "status")
    outcome = larp("db", "status", "--json")
    assert plain.exit_code == outcome.exit_code == outcome.document["exit_code"]
    error = outcome.document["error"]
    if error is not None:
        assert error["message"] in plain.stderr
        assert (f"hint: {error['hint']}" in plain.stderr) == (error["hint"] is not None)
    assert PASSWORD not in plain.stdout + plain.stderr + outcome.stdout + outcome.stderr
    return outcome


# --- where it stands ------------------------------------------------------------------


def test_at_head_all_is_well(larp: Larp, ready: str, server: Server) -> None:
    """At head the answer is yes, and says where, as whom and on what."""
    outcome = status(larp)

    assert outcome.exit_code == ExitCode.OK
    result = outcome.result
    assert result["state"] == "at_head"
    assert (result["current"], result["heads"], result["pending"]) == ([HEAD], [HEAD], [])
    assert (result["schema"], result["schema_exists"]) == (SCHEMA, True)
    assert result["environment"] == "development"
    assert result["server"]["host"] == f"127.0.0.1:{server.port}"
    assert result["server"]["user"] == "larp_owner"
    assert result["server"]["version"].startswith("18")
    assert (result["server"]["standby"], result["server"]["embedded"]) == (False, False)
    assert (result["lock_holders"], result["invalid_indexes"]) == ([], [])


def test_an_empty_database_is_not_initialised_and_the_hint_cures_it(larp: Larp, empty: str) -> None:
    """Exit 3, all revisions pending, and `larp db init` makes it 0."""
    outcome = status(larp)

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["state"] == "not_initialised"
    assert [item["revision"] for item in outcome.result["pending"]] == list(REVISIONS)
    assert outcome.document["error"]["hint"] == "larp db init"
    assert typed(larp, outcome.document["error"]["hint"]).exit_code == ExitCode.OK
    assert status(larp).exit_code == ExitCode.OK


def test_a_missing_database_is_unreachable_and_the_hint_cures_it(
    larp: Larp, use: Use, missing_database: str
) -> None:
    """Exit 5, and `larp db init` makes it 0."""
    use(missing_database)

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "has no database" in outcome.document["error"]["message"]
    assert typed(larp, outcome.document["error"]["hint"]).exit_code == ExitCode.OK
    assert status(larp).exit_code == ExitCode.OK


def test_a_database_that_is_behind_names_what_is_pending(
    larp: Larp, build: Build, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3 with the pending revisions in order, and `larp db migrate` makes it 0."""
    project = build()
    project.chain(*[sql(f"CREATE TABLE t{number} ()") for number in (1, 2, 3)])
    monkeypatch.setenv("ALEMBIC_CONFIG", project.config)
    larp("db", "migrate", "+1")

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["state"] == "behind"
    assert [item["revision"] for item in outcome.result["pending"]] == ["r2", "r3"]
    assert outcome.document["error"]["message"] == "pending: 2 revisions"
    assert typed(larp, outcome.document["error"]["hint"]).exit_code == ExitCode.OK
    assert status(larp).exit_code == ExitCode.OK


def test_a_database_that_is_ahead_names_what_is_unknown(larp: Larp, ready: str) -> None:
    """Exit 3 with the revision that a newer version of the code applied."""
    query(ready, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["state"] == "ahead"
    assert outcome.result["unknown"] == ["fff999"]
    assert "fff999" in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"]


# --- unreachable ----------------------------------------------------------------------


def test_a_wrong_password_is_told_without_it(larp: Larp, use: Use, server: Server) -> None:
    """Exit 5, naming the role; the password that was tried is not shown."""
    use(server.url("postgres", password="wr0ng-sesame"))

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "password of role 'larp_owner'" in outcome.document["error"]["message"]
    assert "wr0ng" not in outcome.stdout + outcome.stderr


def test_a_server_that_is_down_is_told_with_host_and_port(
    larp: Larp, use: Use, dead_database: str
) -> None:
    """Exit 5, and `larp db wait` is a command that exists."""
    url = use(dead_database)
    address = url.rpartition("@")[2].partition("/")[0]

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert f"PostgreSQL at {address} refused" in outcome.document["error"]["message"]
    hint = outcome.document["error"]["hint"]
    assert typed(larp, f"{hint} --timeout 0.2").exit_code == ExitCode.UNREACHABLE


def test_an_unknown_host_is_told_as_such(larp: Larp, use: Use) -> None:
    """Exit 5 for a name that does not resolve."""
    use("postgresql://larp:sesame@nowhere.invalid/larp")

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "nowhere.invalid" in outcome.document["error"]["message"]
    assert "sesame" not in outcome.stdout + outcome.stderr


def test_something_that_is_no_postgresql_is_told_in_time(larp: Larp, use: Use) -> None:
    """A port that takes connections and never answers ends in exit 5 after the timeout."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(f"postgresql://larp@127.0.0.1:{silent.getsockname()[1]}/larp")
        outcome = larp("db", "status", "--json", env={"DATABASE_CONNECT_TIMEOUT": "0.3"})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "did not answer in time" in outcome.document["error"]["message"]


def test_the_first_of_several_hosts_may_be_down(larp: Larp, ready: str, use: Use) -> None:
    """With several hosts the one that answers is used, and named."""
    place = ready.rpartition("@")[2].partition("/")[0]
    use(ready.replace(place, f"127.0.0.1:{free_port()},{place}"))

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.OK
    assert outcome.result["server"]["host"] == place


# --- looking only ---------------------------------------------------------------------


def test_status_takes_no_lock_and_changes_nothing(larp: Larp, empty: str) -> None:
    """An empty database is as empty after it, also while another migrates."""
    before = dump(empty)

    with held_mutex(empty):
        outcome = status(larp)

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert dump(empty) == before


def test_a_role_that_may_only_read_gets_its_status(
    larp: Larp, use: Use, server: Server, initialised: str
) -> None:
    """SELECT on the tables is enough, in a session that may not write."""
    name = initialised.rpartition("/")[2]
    server.execute("DROP ROLE IF EXISTS reader")
    server.execute("CREATE ROLE reader LOGIN PASSWORD 'sesame'")
    server.execute("ALTER ROLE reader SET default_transaction_read_only = on")
    query(initialised, f"GRANT USAGE ON SCHEMA {SCHEMA} TO reader")
    query(initialised, f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO reader")
    use(server.url(name, user="reader", password="sesame"))

    outcome = status(larp)

    server.execute("DROP OWNED BY reader", name)
    server.execute("DROP ROLE reader")
    assert outcome.exit_code == ExitCode.OK, outcome.stdout


def test_a_role_that_may_not_even_read_is_told_so(
    larp: Larp, use: Use, server: Server, initialised: str
) -> None:
    """A missing right is an error that names it, not a bug."""
    server.execute("DROP ROLE IF EXISTS passerby")
    server.execute("CREATE ROLE passerby LOGIN PASSWORD 'sesame'")
    use(server.url(initialised.rpartition("/")[2], user="passerby", password="sesame"))

    outcome = status(larp)

    assert outcome.exit_code == ExitCode.FAILURE
    assert "permission denied for schema" in outcome.document["error"]["message"]


def test_status_shows_who_holds_the_mutex(larp: Larp, ready: str) -> None:
    """Pid, application and user of the session that migrates."""
    with held_mutex(ready, application="deploy 17") as holder:
        outcome = status(larp)
        plain = larp("db", "status")
        pid = holder.info.backend_pid

    (found,) = outcome.result["lock_holders"]
    assert (found["pid"], found["application"], found["user"]) == (pid, "deploy 17", "larp_owner")
    assert found["since_seconds"] >= 0
    assert f"held by pid {pid} (deploy 17, larp_owner)" in plain.stdout


def test_status_shows_invalid_indexes(larp: Larp, ready: str) -> None:
    """What a failed CREATE INDEX CONCURRENTLY left is named."""
    query(ready, f"CREATE TABLE {SCHEMA}.twice AS SELECT 1 AS id FROM generate_series(1, 2)")
    with psycopg.connect(ready, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(f"CREATE UNIQUE INDEX CONCURRENTLY broken ON {SCHEMA}.twice (id)")

    outcome = status(larp)

    assert outcome.result["invalid_indexes"] == ["broken"]


def test_text_from_the_database_is_no_markup_and_steers_no_terminal(larp: Larp, empty: str) -> None:
    """An application name full of markup and escapes is shown as text."""
    with held_mutex(empty, application="[bold]red[/bold]"):
        outcome = larp("db", "status", "--output", "human")

    assert "[bold]red[/bold]" in outcome.stdout


def test_history_needs_the_database_and_says_what_is_applied(larp: Larp, ready: str) -> None:
    """At home: one line for each revision, newest first, the head marked."""
    outcome = larp("db", "history", "--json")
    plain = larp("db", "history")

    entry = outcome.result["revisions"][0]
    assert outcome.exit_code == ExitCode.OK
    assert (entry["revision"], entry["applied"], entry["head"]) == (HEAD, True, True)
    assert plain.stdout.splitlines()[1].startswith(f"applied\t{HEAD}\t")


def test_history_of_an_empty_database_is_all_pending(larp: Larp, empty: str) -> None:
    """Nothing is applied, nothing is created, and that is no error."""
    outcome = larp("db", "history", "--json")

    assert outcome.exit_code == ExitCode.OK
    assert {entry["applied"] for entry in outcome.result["revisions"]} == {False}
    assert not has(empty, f"{SCHEMA}.alembic_version")


def test_a_settings_fault_is_told_before_anything_is_asked(larp: Larp, tmp_path: Path) -> None:
    """A DATABASE_URL that is none ends in 4."""
    outcome = larp("db", "status", "--json", env={"DATABASE_URL": "mysql://x:sesame@y/z"})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "sesame" not in outcome.stdout


@pytest.mark.usefixtures("first_revision")
def test_the_schema_of_a_clone_is_the_clones_own(larp: Larp, use: Use, server: Server) -> None:
    """Two schemas in one database have a status each."""
    url = use(server.url(server.create()))
    larp("db", "init", env={"DATABASE_SCHEMA": "one"})

    one = larp("db", "status", "--json", env={"DATABASE_SCHEMA": "one"})
    two = larp("db", "status", "--json", env={"DATABASE_SCHEMA": "two"})

    assert (one.exit_code, two.exit_code) == (ExitCode.OK, ExitCode.NEGATIVE)
    assert value(url, "SELECT count(*) FROM pg_namespace WHERE nspname IN ('one', 'two')") == 1
