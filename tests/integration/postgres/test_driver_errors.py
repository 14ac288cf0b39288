"""Driver errors, told as larp's own."""

from __future__ import annotations

import threading

import psycopg
import pytest

from larp_cli.errors import ConfigurationError, ExitCode, LarpError
from larp_cli.postgres import errors
from larp_cli.postgres.connection import Connection, connect
from larp_cli.postgres.errors import UnknownHost, translate, translate_errors
from larp_cli.postgres.url import DatabaseUrl, normalise_url
from tests.servers import PASSWORD, Server


def opened(url: DatabaseUrl) -> Connection:
    """Connect as the tests do."""
    return connect(url, application_name="larp-test", connect_timeout=5)


def test_an_ended_session_is_a_passing_failure(server: Server, database: str) -> None:
    """A session that an administrator ended is told as such, and may be tried again."""
    url = normalise_url(database)
    with (
        opened(url) as connection,
        pytest.raises(errors.ShuttingDown) as caught,
        translate_errors(url),
    ):
        server.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        connection.execute("SELECT 1")

    assert caught.value.transient


@pytest.mark.parametrize(
    ("statement", "kind", "exit_code"),
    [
        ("CREATE ROLE nobody", errors.PermissionDenied, ExitCode.FAILURE),
        ("SELECT 1/0", errors.StatementFailed, ExitCode.FAILURE),
        ("SET transaction_read_only = on; CREATE TABLE t ()", errors.ReadOnly, 5),
    ],
)
def test_a_statements_error_is_known_by_its_sqlstate(
    database: str, statement: str, kind: type[LarpError], exit_code: int
) -> None:
    """Each SQLSTATE that matters has its own error, exit code and cause."""
    url = normalise_url(database)
    with opened(url) as connection, pytest.raises(kind) as caught, translate_errors(url):
        connection.execute(f"BEGIN; {statement}".encode())

    assert caught.value.exit_code == exit_code
    assert isinstance(caught.value.__cause__, psycopg.Error)


def test_a_lock_that_is_not_given(database: str) -> None:
    """A lock timeout is an error of its own, with its own exit code."""
    url = normalise_url(database)
    with opened(url) as holder, opened(url) as other:
        holder.execute("CREATE TABLE wanted ()")
        other.execute("SET lock_timeout = '20ms'")
        with (
            holder.transaction(),
            pytest.raises(errors.LockNotAvailable) as caught,
            translate_errors(url),
        ):
            holder.execute("LOCK TABLE wanted")
            other.execute("BEGIN; LOCK TABLE wanted")

    assert caught.value.exit_code is ExitCode.LOCKED


def test_a_cancelled_statement_is_not_a_timeout(database: str) -> None:
    """Somebody's cancel request is told from a timeout."""
    url = normalise_url(database)
    with opened(url) as connection, opened(url) as other:
        cancel = threading.Timer(
            0.1, other.execute, [f"SELECT pg_cancel_backend({connection.info.backend_pid})"]
        )
        cancel.start()
        with pytest.raises(errors.StatementCancelled), translate_errors(url):
            connection.execute("SELECT pg_sleep(10)")
        cancel.join()


def test_other_errors_pass_unchanged(database: str) -> None:
    """Only what the driver raises is translated."""
    with pytest.raises(KeyError), translate_errors(normalise_url(database)):
        raise KeyError("mine")
    with pytest.raises(ConfigurationError), translate_errors(normalise_url(database)):
        raise ConfigurationError("mine")


@pytest.mark.parametrize(
    ("words", "reason", "transient"),
    [
        ("FATAL:  the database system is starting up", "starting_up", True),
        ("FATAL:  the database system is shutting down", "starting_up", True),
        ("FATAL:  the database system is in recovery mode", "starting_up", True),
        ("FATAL:  sorry, too many clients already", "too_many_connections", True),
        ("FATAL:  no more connections allowed (max_client_conn)", "too_many_connections", True),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "auth", False),
        ("FATAL:  no such database: larp", "database_missing", True),
        ("FATAL:  canceling authentication due to timeout", "timeout", True),
        ("server closed the connection unexpectedly", "connection_lost", True),
        ("No route to host", "unreachable", True),
        ("SSL error: certificate verify failed", "tls", False),
        ("FATAL:  das Datenbanksystem startet", "unreachable", True),
        ("ВАЖНО:  база данных не существует", "unreachable", True),
    ],
)
def test_words_of_a_failed_connection(words: str, reason: str, transient: bool) -> None:
    """Without a SQLSTATE the words decide; in an unknown language the error stays general."""
    url = normalise_url("postgresql://larp:sesame@db/larp")
    said = psycopg.OperationalError(
        f'connection failed: connection to server at "10.0.0.1", port 5432 failed: {words}\n\tmore'
    )

    error = translate(said, url)

    assert (error.reason, error.transient) == (reason, transient)
    assert error.exit_code is ExitCode.UNREACHABLE
    assert "\n" not in error.message
    assert "connection failed" not in error.message


def test_every_kind_of_failure_has_its_words(database: str) -> None:
    """Each error of the SQLSTATE table can be worded, and shows no secret."""
    url = normalise_url(database)
    for kind in set(errors._BY_SQLSTATE.values()):
        error = kind.at(url, detail="detail")
        assert "{" not in f"{error.message} {error.hint}"
        assert PASSWORD not in f"{error.message} {error.hint}"


def test_the_setting_of_the_url_is_named() -> None:
    """Who has two URLs must not mend the one that is right."""
    url = normalise_url("postgresql://larp@no-such-host/larp", setting="DATABASE_MIGRATION_URL")

    with pytest.raises(UnknownHost) as caught:
        connect(url, application_name="larp-test", connect_timeout=5)

    assert "DATABASE_MIGRATION_URL" in (caught.value.hint or "")
    assert url.with_database("other").setting == "DATABASE_MIGRATION_URL"
