from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode, Refused
from larp_cli.postgres.database import Database
from larp_cli.postgres.errors import ConnectTimeout
from larp_cli.postgres.pooler import NoSecondSession, require_session
from larp_cli.postgres.url import normalise_url
from larp_cli.settings import Environment
from tests.conftest import Larp, LarpProcess
from tests.databases import HEAD, SCHEMA, query, until, value, versions
from tests.poolers import Pooler, pgbouncer
from tests.processes import PATIENCE
from tests.servers import Server

type Pool = Callable[..., Pooler]

SHARED = [
    pytest.param("transaction", {}, id="transaction"),
    pytest.param("transaction", {"default_pool_size": 1}, id="transaction-one-session"),
    pytest.param("transaction", {"server_round_robin": 1}, id="transaction-round-robin"),
    pytest.param("statement", {}, id="statement"),
    pytest.param("statement", {"server_round_robin": 1}, id="statement-round-robin"),
]
"""Pools in which a session is not ours for longer than a transaction."""

OWN = [
    pytest.param("session", {}, id="session"),
    pytest.param("session", {"default_pool_size": 2}, id="session-two-sessions"),
    pytest.param("session", {"server_round_robin": 1}, id="session-round-robin"),
]
"""Pools in which a session is ours until we leave."""


@pytest.fixture
def pool(server: Server, tmp_path: Path) -> Iterator[Pool]:
    """Start poolers in front of the server."""
    with ExitStack() as running:

        def start(mode: str, *, port: int | None = None, **settings: object) -> Pooler:
            return running.enter_context(pgbouncer(server, tmp_path, mode, port=port, **settings))

        yield start


def target(url: str, *, patience: float = 10) -> Database:
    """Describe a database without any timeout that would be set on its sessions."""
    return Database(
        url=normalise_url(url),
        environment=Environment.DEVELOPMENT,
        connect_timeout=patience,
    )


def judge(database: Database) -> None:
    """Ask on a fresh connection, as the mutex does."""
    with database.connection() as connection:
        require_session(database, connection)


def is_refused(database: Database) -> bool:
    """Tell how the judgement turns out."""
    try:
        judge(database)
    except Refused:
        return True
    return False


def warm(url: str, sessions: int) -> None:
    """Let the pooler open several sessions, and get them all back."""
    with ExitStack() as held:
        for _ in range(sessions):
            held.enter_context(psycopg.connect(url)).execute("SELECT")


@contextmanager
def traffic(url: str, clients: int) -> Iterator[None]:
    """Let clients run short transactions all the time."""
    ended = threading.Event()

    def run() -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            while not ended.is_set():
                connection.execute("SELECT pg_sleep(random() * 0.002)")

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


# --- what the commands do -------------------------------------------------------------


@pytest.mark.parametrize("command", ["migrate", "init"])
@pytest.mark.parametrize(("mode", "settings"), SHARED)
def test_pending_work_is_refused_behind_a_pooler_that_shares_sessions(
    larp: Larp, pool: Pool, database: str, command: str, mode: str, settings: dict[str, object]
) -> None:
    """Where the mutex would not hold nothing is changed, and the hint names the way around."""
    pooler = pool(mode, **settings)

    outcome = larp("db", command, env={"DATABASE_URL": pooler.url(database)})

    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.stdout == ""
    assert outcome.stderr.splitlines()[-2:] == [
        f"error: DATABASE_URL goes through a transaction pooler at 127.0.0.1:{pooler.port},"
        " where the migration lock would not hold",
        "hint: set DATABASE_MIGRATION_URL to the server itself",
    ]
    assert "rollback" not in outcome.stderr
    assert not value(database, "SELECT to_regnamespace(%s) IS NOT NULL", SCHEMA)


@pytest.mark.parametrize("command", ["migrate", "init"])
def test_a_direct_migration_url_leads_around_the_pooler(
    larp: Larp, pool: Pool, database: str, command: str
) -> None:
    """The application may stay behind its transaction pooler when migrations go directly."""
    urls = {
        "DATABASE_URL": pool("transaction").url(database),
        "DATABASE_MIGRATION_URL": database,
    }

    outcome = larp("db", command, env=urls)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert versions(database) == [HEAD]


def test_a_migration_url_through_the_pooler_has_a_hint_of_its_own(
    larp: Larp, pool: Pool, database: str
) -> None:
    """Who set DATABASE_MIGRATION_URL to the pooler is not told to set it."""
    pooled = pool("transaction").url(database)

    outcome = larp(
        "db", "migrate", env={"DATABASE_URL": database, "DATABASE_MIGRATION_URL": pooled}
    )

    assert outcome.exit_code == ExitCode.REFUSED
    assert "error: DATABASE_MIGRATION_URL goes through a transaction pooler" in outcome.stderr
    assert outcome.stderr.endswith(
        "hint: set DATABASE_MIGRATION_URL to the server itself, not to the pooler\n"
    )


def test_five_at_once_behind_a_session_pooler_migrate_once(
    larp_process: LarpProcess, pool: Pool, database: str
) -> None:
    """In session mode the mutex holds through the pooler: one applies, the others wait."""
    pooled = pool("session").url(database)

    started = [
        larp_process.start("db", "migrate", "--json", env={"DATABASE_URL": pooled})
        for _ in range(5)
    ]
    ended = [(*process.communicate(timeout=PATIENCE), process.returncode) for process in started]

    assert [code for _, _, code in ended] == [ExitCode.OK] * 5, ended
    assert sum('"changed": true' in stdout for stdout, _, _ in ended) == 1
    assert versions(database) == [HEAD]


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("command", ["migrate", "init", "status"])
def test_at_head_a_shared_session_is_good_enough(
    larp: Larp, pool: Pool, initialised: str, mode: str, command: str
) -> None:
    """At head no lock is needed, so no pooler is in the way and nobody complains."""
    outcome = larp("db", command, env={"DATABASE_URL": pool(mode).url(initialised)})

    assert outcome.exit_code == ExitCode.OK
    assert "pooler" not in outcome.stderr


# --- the judgement --------------------------------------------------------------------


def test_a_direct_connection_is_asked_once_and_no_other_is_made(
    database: str, dead_database: str
) -> None:
    """Without a pooler it costs one query: a second connection would fail here."""
    with target(database).connection() as connection:
        require_session(target(dead_database), connection)


@pytest.mark.parametrize("sessions", [1, 2, 3, 8])
@pytest.mark.parametrize(("mode", "settings"), SHARED)
def test_sharing_is_found_however_many_sessions_lie_idle(
    pool: Pool, database: str, mode: str, settings: dict[str, object], sessions: int
) -> None:
    """Neither a pool of one nor a round of several hides that sessions are shared."""
    pooler = pool(mode, **settings)
    if mode == "transaction" and "default_pool_size" not in settings:
        warm(pooler.url(database), sessions)

    with pytest.raises(Refused):
        judge(target(pooler.url(database)))


@pytest.mark.parametrize(("mode", "settings"), OWN)
def test_a_session_of_our_own_is_never_refused(
    pool: Pool, database: str, mode: str, settings: dict[str, object]
) -> None:
    """A pooler in session mode is as good as the server itself, down to two sessions."""
    pooled = target(pool(mode, **settings).url(database))

    for _ in range(5):
        judge(pooled)


@pytest.mark.parametrize("settings", [{}, {"server_round_robin": 1}, {"default_pool_size": 3}])
def test_traffic_does_not_hide_the_sharing(
    pool: Pool, database: str, settings: dict[str, object]
) -> None:
    """Clients that take sessions at the wrong moment, or all of them, do not mislead it."""
    url = pool("transaction", **settings).url(database)

    with traffic(url, 6):
        for _ in range(10):
            with pytest.raises(Refused):
                judge(target(url))


def test_traffic_does_not_look_like_sharing(pool: Pool, database: str) -> None:
    """Other clients of a pooler in session mode do not mislead it either."""
    url = pool("session").url(database)

    with traffic(url, 6):
        for _ in range(10):
            judge(target(url))


def test_several_poolers_behind_one_address_are_found(pool: Pool, database: str) -> None:
    """Where every connection may meet another pooler, it asks until two meet the same."""
    first = pool("transaction", so_reuseport=1)
    pool("transaction", so_reuseport=1, port=first.port)
    url = first.url(database)
    until(lambda: len({value(url, "SELECT pg_backend_pid()") for _ in range(20)}) == 2)

    # The kernel deals by chance: all of one judgement go wrong once in some thousand times.
    assert any(is_refused(target(url)) for _ in range(3))


def test_judging_leaves_nothing_in_the_sessions_of_the_pool(pool: Pool, database: str) -> None:
    """The application gets the session back without a lock, a setting or a transaction."""
    url = pool("transaction", default_pool_size=1).url(database)
    # application_name is PgBouncer's affair: it sets each client's own.
    settings = (
        "SELECT name, setting FROM pg_settings"
        " WHERE source = 'session' AND name <> 'application_name'"
    )
    before = query(url, settings)

    with pytest.raises(Refused):
        judge(target(url))

    assert query(url, settings) == before
    assert query(database, "SELECT FROM pg_locks WHERE locktype = 'advisory'") == []
    assert query(database, "SELECT FROM pg_stat_activity WHERE state LIKE 'idle in tr%%'") == []
    assert query(url, "SELECT FROM pg_prepared_statements") == []


# --- a pool without a session for us --------------------------------------------------


def test_a_pool_of_one_session_ends_in_time_and_in_a_hint(
    larp: Larp, pool: Pool, database: str
) -> None:
    """A migration needs two sessions; where the pooler has one it says so, and does not hang."""
    url = pool("session", default_pool_size=1).url(database)
    began = time.monotonic()

    outcome = larp("db", "migrate", env={"DATABASE_URL": url, "DATABASE_CONNECT_TIMEOUT": "1"})

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "has no second session for role" in outcome.stderr
    assert "hint: raise the pooler's pool size, or set DATABASE_MIGRATION_URL" in outcome.stderr
    assert time.monotonic() - began < 30


def test_the_poolers_own_limit_on_waiting_is_understood(pool: Pool, database: str) -> None:
    """The limit query_wait_timeout of PgBouncer may run out before our own patience does."""
    pooled = target(
        pool("session", default_pool_size=1, query_wait_timeout=1).url(database), patience=30
    )

    with pytest.raises(NoSecondSession):
        judge(pooled)


def test_a_busy_pool_does_not_hold_us_for_ever(pool: Pool, database: str) -> None:
    """Where others keep every session we hang up, although the connection itself stands."""
    url = pool("transaction", default_pool_size=1).url(database)
    pooled = target(url, patience=1)

    with pooled.connect() as ours, psycopg.connect(url) as other:
        other.execute("SELECT")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            require_session(pooled, ours)
        assert time.monotonic() - began < 30
        assert ours.broken


def test_an_unreachable_pooler_is_told_as_such(pool: Pool, database: str) -> None:
    """A hang-up reaches the user as a server that did not answer in time."""
    url = pool("transaction", default_pool_size=1).url(database)
    pooled = target(url, patience=1)

    with pytest.raises(ConnectTimeout), pooled.connection() as ours:
        with psycopg.connect(url) as other:
            other.execute("SELECT")
            require_session(replace(pooled, connect_timeout=0.2), ours)
