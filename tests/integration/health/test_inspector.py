"""One look at a real database: what each check says, and that a look never hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from larp_cli.health.checks import CHECKS, NAMES
from larp_cli.health.inspector import Inspector
from larp_cli.migrations.graph import RevisionGraph
from larp_cli.postgres.embedded import Cluster
from larp_cli.results import CheckStatus, HealthReport, Reason
from tests.databases import HEAD, SCHEMA, query, until, value
from tests.health import gate_to, own_target
from tests.poolers import pgbouncer
from tests.servers import Server, free_port

OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'larp-health'"
OF_THIS = f"{OURS} AND datname = current_database()"


def look(url: str, *names: str) -> HealthReport:
    """Look once."""
    inspector = Inspector(own_target(url), deadline=5)
    report = inspector.inspect(names or NAMES)
    inspector.close()
    return report


def came_to(report: HealthReport, name: str) -> tuple[CheckStatus, Reason | None]:
    """Say what one check came to."""
    check = report.check(name)
    assert check is not None, report
    return check.status, check.reason


def test_a_database_at_head_passes_every_check(initialised: str) -> None:
    """Everything is looked at, nothing is skipped, and the revisions are told."""
    report = look(initialised)

    assert [check.name for check in report.checks] == list(NAMES)
    assert {check.status for check in report.checks} == {CheckStatus.PASS}, report
    assert (report.current, report.pending, report.skipped) == ((HEAD,), (), ())


def test_looking_works_on_every_server(every_server: Server) -> None:
    """No check asks for what an older server does not have."""
    report = look(every_server.url(every_server.create()))

    assert report.skipped == ()
    assert came_to(report, "schema") == (CheckStatus.FAIL, Reason.NOT_INITIALISED)
    assert came_to(report, "version") == (CheckStatus.PASS, None)


def test_only_what_is_asked_for_is_told(initialised: str) -> None:
    """The check of the database is made in any case, as the others need it."""
    report = look(initialised, "revision")

    assert [check.name for check in report.checks] == ["database", "revision"]
    assert came_to(report, "revision") == (CheckStatus.PASS, None)


def test_the_configuration_alone_needs_no_database(dead_database: str) -> None:
    """Where nothing of the database is asked for it is left alone."""
    assert [check.name for check in look(dead_database, "configuration").checks] == [
        "configuration"
    ]


def test_an_empty_database_is_not_initialised(database: str) -> None:
    """It answers, and that is all."""
    report = look(database)

    assert came_to(report, "database") == (CheckStatus.PASS, None)
    assert came_to(report, "schema") == (CheckStatus.FAIL, Reason.NOT_INITIALISED)
    assert came_to(report, "revision") == (CheckStatus.FAIL, Reason.NOT_INITIALISED)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"DELETE FROM {SCHEMA}.alembic_version", Reason.NOT_INITIALISED),
        (f"UPDATE {SCHEMA}.alembic_version SET version_num = 'newer'", Reason.SCHEMA_AHEAD),
    ],
)
def test_a_revision_that_is_not_the_head_has_its_own_reason(
    initialised: str, statement: str, reason: Reason
) -> None:
    """Not initialised and ahead are told apart."""
    query(initialised, statement)

    assert came_to(look(initialised), "revision") == (CheckStatus.FAIL, reason)


def test_a_database_behind_says_how_far(initialised: str) -> None:
    """Code with one revision more than the database finds it pending."""
    target = own_target(initialised)
    graph = RevisionGraph({**target.graph.down_revisions, "next": (HEAD,)})
    inspector = Inspector(
        type(target)(
            url=target.url,
            schema=target.schema,
            version_table=target.version_table,
            graph=graph,
            ledger_schemas=(),
        ),
        deadline=5,
    )
    report = inspector.inspect()
    inspector.close()

    assert came_to(report, "revision") == (CheckStatus.FAIL, Reason.SCHEMA_BEHIND)
    assert report.pending == ("next",)


def test_a_database_that_takes_no_writes_is_read_only(initialised: str) -> None:
    """Whoever sets default_transaction_read_only finds it here."""
    name = initialised.rpartition("/")[2]
    with psycopg.connect(initialised, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')

    assert came_to(look(initialised), "writable") == (CheckStatus.FAIL, Reason.READ_ONLY)


def test_an_invalid_index_is_a_warning(initialised: str, server: Server) -> None:
    """It is named, and takes nothing out of use."""
    query(initialised, f"CREATE TABLE {SCHEMA}.people (name text)")
    query(initialised, f"CREATE INDEX people_name ON {SCHEMA}.people (name)")
    server.execute(
        f"UPDATE pg_index SET indisvalid = false"
        f" WHERE indexrelid = '{SCHEMA}.people_name'::regclass",
        initialised.rpartition("/")[2],
    )
    report = look(initialised)

    assert came_to(report, "indexes") == (CheckStatus.WARN, Reason.INDEX_INVALID)
    assert report.exit_code is ExitCode.OK


def test_a_failed_last_run_is_a_warning(initialised: str) -> None:
    """The ledger's newest line says whether the last migration went well."""
    query(
        initialised,
        f"INSERT INTO {SCHEMA}.larp_ledger (version_table, revision, direction, outcome,"
        " started_at, seconds, operator, host, larp_version)"
        f" VALUES ('{SCHEMA}.alembic_version', 'r2', 'up', 'failed', now(), 1, 'a', 'b', '0')",
    )

    assert came_to(look(initialised), "ledger") == (CheckStatus.WARN, Reason.MIGRATION_FAILED)


def test_a_locked_version_table_is_not_a_dead_server(initialised: str) -> None:
    """While somebody holds the tables, the database still answers, and the reason is the lock."""
    inspector = Inspector(own_target(initialised), deadline=2)
    with psycopg.connect(initialised) as holder:
        for table in ("alembic_version", "larp_ledger"):
            holder.execute(f"LOCK TABLE {SCHEMA}.{table} IN ACCESS EXCLUSIVE MODE")
        report = inspector.inspect()
    again = inspector.inspect()
    inspector.close()

    assert came_to(report, "database") == (CheckStatus.PASS, None)
    assert came_to(report, "revision") == (CheckStatus.FAIL, Reason.LOCKED)
    assert came_to(report, "ledger") == (CheckStatus.FAIL, Reason.LOCKED)
    assert came_to(again, "revision") == (CheckStatus.PASS, None)


def test_a_role_that_may_not_read_is_told_so(initialised: str, server: Server) -> None:
    """A missing GRANT is the failure of the check that needs it, and of no other."""
    name = initialised.rpartition("/")[2]
    server.execute("CREATE ROLE onlooker LOGIN PASSWORD 'onlooker'")
    try:
        query(initialised, f"GRANT USAGE ON SCHEMA {SCHEMA} TO onlooker")
        report = look(server.url(name, user="onlooker", password="onlooker"))
    finally:
        server.execute("DROP OWNED BY onlooker", name)
        server.execute("DROP ROLE onlooker")

    assert came_to(report, "revision") == (CheckStatus.FAIL, Reason.PERMISSION_DENIED)
    assert came_to(report, "connections") == (CheckStatus.PASS, None)


def test_a_role_of_the_application_needs_no_right_on_the_books(
    initialised: str, server: Server
) -> None:
    """USAGE of the schema and SELECT on the version table are enough to be healthy."""
    name = initialised.rpartition("/")[2]
    server.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    try:
        query(initialised, f"GRANT USAGE ON SCHEMA {SCHEMA} TO plain")
        query(initialised, f"GRANT SELECT ON {SCHEMA}.alembic_version TO plain")
        report = look(server.url(name, user="plain", password="plain"))
    finally:
        server.execute("DROP OWNED BY plain", name)
        server.execute("DROP ROLE plain")

    assert report.status is CheckStatus.PASS, report


def test_a_role_without_the_schema_is_not_told_to_initialise(
    initialised: str, server: Server
) -> None:
    """What cannot be looked at is not said to be missing."""
    name = initialised.rpartition("/")[2]
    server.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        report = look(server.url(name, user="stranger", password="stranger"))
    finally:
        server.execute("DROP ROLE stranger")

    assert came_to(report, "schema") == (CheckStatus.FAIL, Reason.PERMISSION_DENIED)
    assert came_to(report, "revision") == (CheckStatus.FAIL, Reason.PERMISSION_DENIED)
    assert "larp db init" not in {check.hint for check in report.checks}


def test_an_index_that_somebody_else_is_building_is_not_invalid(
    initialised: str, server: Server
) -> None:
    """Who may not see the other's progress sees its lock."""
    name = initialised.rpartition("/")[2]
    query(initialised, f"CREATE TABLE {SCHEMA}.people (name text)")
    with psycopg.connect(initialised) as writer:
        writer.execute(f"INSERT INTO {SCHEMA}.people VALUES ('a')")
        statement = f"CREATE INDEX CONCURRENTLY people_name ON {SCHEMA}.people (name)"
        builder = threading.Thread(target=server.execute, args=(statement, name))
        builder.start()
        until(lambda: value(initialised, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"))
        report = look(initialised)
        writer.rollback()
    builder.join()

    assert came_to(report, "indexes") == (CheckStatus.PASS, None)


def test_a_look_that_cannot_begin_is_a_failure_and_not_the_end(
    initialised: str, inspectors: list[Inspector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system grants no thread now, it may the next time."""
    inspectors.append(inspector := Inspector(own_target(initialised), deadline=5))

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        refused = inspector.inspect()

    assert came_to(refused, "database") == (CheckStatus.FAIL, Reason.UNREACHABLE)
    assert came_to(inspector.inspect(), "database") == (CheckStatus.PASS, None)


def test_a_dead_server_is_refused_and_the_rest_is_skipped(dead_database: str) -> None:
    """What cannot be looked at is said to be so."""
    report = look(dead_database)

    assert came_to(report, "database") == (CheckStatus.FAIL, Reason.REFUSED)
    assert report.skipped == tuple(name for name in CHECKS if name != "database")
    assert report.exit_code is ExitCode.UNREACHABLE


def test_a_missing_database_has_its_own_reason(missing_database: str) -> None:
    """The server is there, the database is not."""
    assert came_to(look(missing_database), "database") == (
        CheckStatus.FAIL,
        Reason.DATABASE_MISSING,
    )


@pytest.fixture
def inspectors() -> Iterator[list[Inspector]]:
    """Whatever is put in is closed."""
    made: list[Inspector] = []
    yield made
    for inspector in made:
        inspector.close()


def test_the_connection_is_kept_and_is_the_only_one(
    initialised: str, inspectors: list[Inspector]
) -> None:
    """However often one looks, the server sees one session."""
    inspectors.append(inspector := Inspector(own_target(initialised), deadline=5))
    inspector.inspect()
    first = query(initialised, OF_THIS.replace("count(*)", "pid"))
    for _ in range(5):
        inspector.inspect()

    assert query(initialised, OF_THIS.replace("count(*)", "pid")) == first
    assert len(first) == 1


def test_a_session_that_was_ended_is_replaced(
    initialised: str, inspectors: list[Inspector]
) -> None:
    """The same look works on another: a server may end what is idle, and that is no outage."""
    inspectors.append(inspector := Inspector(own_target(initialised), deadline=5))
    inspector.inspect()
    query(initialised, OF_THIS.replace("count(*)", "pg_terminate_backend(pid)"))

    assert came_to(inspector.inspect(), "database") == (CheckStatus.PASS, None)
    assert value(initialised, OF_THIS) == 1


def test_a_look_ends_at_its_deadline_when_the_server_stops_answering(
    initialised: str, inspectors: list[Inspector]
) -> None:
    """A connection that goes silent is a timeout; it is found working again afterwards."""
    with gate_to(initialised) as (gate, url):
        inspectors.append(inspector := Inspector(own_target(url), deadline=0.5))
        before = inspector.inspect()
        gate.close()
        began = time.monotonic()
        silent = inspector.inspect()
        took = time.monotonic() - began
        gate.open()
        until(lambda: came_to(inspector.inspect(), "database")[0] is CheckStatus.PASS)
        until(lambda: value(initialised, OF_THIS) == 1)

    assert came_to(before, "database") == (CheckStatus.PASS, None)
    assert came_to(silent, "database") == (CheckStatus.FAIL, Reason.TIMEOUT)
    assert took < 15


def test_a_server_that_never_answers_at_all_is_a_timeout(
    initialised: str, inspectors: list[Inspector]
) -> None:
    """Looks at a black hole end in time, leave few threads, and recover when it fills."""
    with gate_to(initialised) as (gate, url):
        gate.close()
        inspectors.append(inspector := Inspector(own_target(url), deadline=0.3))
        threads = threading.active_count()
        for _ in range(5):
            assert came_to(inspector.inspect(), "database")[1] is Reason.TIMEOUT
        assert threading.active_count() <= threads + 16
        gate.open()
        until(lambda: came_to(inspector.inspect(), "database")[0] is CheckStatus.PASS)
        until(lambda: value(initialised, OF_THIS) == 1)


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
def test_behind_a_pooler_a_locked_table_leaves_no_session_waiting(
    initialised: str, server: Server, tmp_path: Path, mode: str, inspectors: list[Inspector]
) -> None:
    """The timeouts travel with each check, so that the next look does not add to the queue."""
    with pgbouncer(server, tmp_path, mode) as pooler:
        url = pooler.url(initialised)
        inspectors.append(inspector := Inspector(own_target(url), deadline=1))
        assert came_to(inspector.inspect(), "revision") == (CheckStatus.PASS, None)
        if mode == "statement":  # where no transaction is to be had, no timeout is either
            return
        with psycopg.connect(initialised) as holder:
            holder.execute(f"LOCK TABLE {SCHEMA}.alembic_version IN ACCESS EXCLUSIVE MODE")
            for _ in range(3):
                report = inspector.inspect()
                assert came_to(report, "database") == (CheckStatus.PASS, None)
                assert came_to(report, "revision") == (CheckStatus.FAIL, Reason.LOCKED)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert value(initialised, f"{waiting} AND datname = current_database()") == 0


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_dead_server_behind_a_pooler_is_a_failure_and_not_a_bug(
    server_directory: Path, tmp_path: Path, inspectors: list[Inspector], mode: str
) -> None:
    """The pooler tells it with a SQLSTATE of its own; when the server is back it is seen."""
    tcp = {"listen_addresses": "127.0.0.1", "port": str(free_port()), "fsync": "off"}
    cluster = Cluster(server_directory / f"dead-{tmp_path.name}", settings=tcp)
    cluster.initialise()
    cluster.start()
    try:
        served = Server(cluster.url(), "127.0.0.1", cluster.port)
        served.prepare()
        with pgbouncer(served, server_directory, mode, server_login_retry=1) as pooler:
            url = pooler.url(served.url("postgres"))
            inspectors.append(inspector := Inspector(own_target(url), deadline=2))
            assert came_to(inspector.inspect(), "database") == (CheckStatus.PASS, None)
            cluster.stop()
            for _ in range(3):
                status, reason = came_to(inspector.inspect(), "database")
                assert status is CheckStatus.FAIL
                assert reason in (Reason.CONNECTION_LOST, Reason.UNREACHABLE, Reason.TIMEOUT)
            cluster.start()
            until(lambda: came_to(inspector.inspect(), "database")[0] is CheckStatus.PASS)
            assert came_to(inspector.inspect(), "writable") == (CheckStatus.PASS, None)
    finally:
        cluster.stop()
