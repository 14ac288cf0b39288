"""Connecting to real servers, and to places where there is none."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from larp_cli.errors import DatabaseUnreachable, ExitCode
from larp_cli.postgres import errors
from larp_cli.postgres.connection import Connection, SessionTimeouts, connect
from larp_cli.postgres.database import Database
from larp_cli.postgres.errors import DatabaseFailure, translate_errors
from larp_cli.postgres.programs import client_environment
from larp_cli.postgres.url import DatabaseUrl, normalise_url
from larp_cli.settings import Environment
from tests.servers import PASSWORD, Server, free_port


def opened(url: str | DatabaseUrl, *, timeout: float = 5.0) -> Connection:
    """Connect as the tests do."""
    if isinstance(url, str):
        url = normalise_url(url)
    return connect(url, application_name="larp-test", connect_timeout=timeout)


def failure(url: str, *, timeout: float = 5.0) -> DatabaseFailure:
    """Give the error that connecting ends in; it shows no secret."""
    with pytest.raises(DatabaseFailure) as caught:
        opened(url, timeout=timeout)
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "sesame"):
        assert secret not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def place(host: str, port: int) -> str:
    """Write the URL of a host with a password that must not be seen."""
    return f"postgresql://larp:sesame@{host}:{port}/larp"


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Port of a listener that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A role with nothing but a password, ``sesame``."""
    name = f"{server.new_name()}_role"
    identifier = sql.Identifier(name)
    server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'sesame'").format(identifier))
    yield name
    server.execute(sql.SQL("DROP OWNED BY {}").format(identifier))
    server.execute(sql.SQL("DROP ROLE {}").format(identifier))


def test_a_connection_says_who_it_is(database: str) -> None:
    """The application name, autocommit and UTF-8 are set on every connection."""
    with opened(database) as connection:
        row = connection.execute(
            "SELECT current_setting('application_name'), current_setting('client_encoding')"
        ).fetchone()

        assert row == ("larp-test", "UTF8")
        assert connection.autocommit


def test_the_statement_timeout_is_kept_by_the_server(database: str) -> None:
    """A statement that runs too long is cancelled, which does not make the server unreachable."""
    url = normalise_url(database)
    with (
        connect(
            url,
            application_name="t",
            connect_timeout=5,
            timeouts=SessionTimeouts(statement=0.05),
            autocommit=False,
        ) as connection,
        pytest.raises(errors.StatementTimeout) as caught,
        translate_errors(url),
    ):
        connection.execute("SELECT pg_sleep(30)")

    assert (caught.value.reason, caught.value.exit_code) == ("timeout", ExitCode.UNREACHABLE)
    assert not isinstance(caught.value, DatabaseUnreachable)
    assert isinstance(caught.value.__cause__, psycopg.errors.QueryCanceled)


def test_the_statement_timeout_outlives_a_rollback(database: str) -> None:
    """The setting belongs to the session, not to its first transaction."""
    with connect(
        normalise_url(database),
        application_name="t",
        connect_timeout=5,
        timeouts=SessionTimeouts(statement=1.5),
        autocommit=False,
    ) as connection:
        connection.rollback()
        row = connection.execute("SELECT current_setting('statement_timeout')").fetchone()

    assert row == ("1500ms",)


def test_the_urls_own_options_win_over_ours(database: str) -> None:
    """Keepalives that the URL sets stay as they are."""
    with opened(f"{database}?keepalives_idle=77") as connection:
        assert connection.info.get_parameters()["keepalives_idle"] == "77"


@pytest.mark.parametrize("password", ["p%s", "p@s", "p:s", "p's\"s", "p/s", "p s\\", "pä?#&=s"])
def test_every_password_lets_in(server: Server, role: str, database: str, password: str) -> None:
    """A password with any character works in the URL and in its query."""
    server.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
    )
    name = normalise_url(database).database

    with opened(server.url(name, user=role, password=password)) as connection:
        assert connection.info.user == role
    query = f"user={role}&password={quote(password, safe='')}"
    with opened(f"postgresql://{server.host}:{server.port}/{name}?{query}") as connection:
        assert connection.info.user == role


def test_a_refused_connection(dead_database: str) -> None:
    """Nobody listening is told at once, with the place and what to do."""
    error = failure(dead_database)

    assert type(error) is errors.ConnectionRefused
    assert (error.reason, error.transient, error.code) == ("refused", True, "UNREACHABLE")
    assert normalise_url(dead_database).address in error.message
    assert error.hint == "start the server, then: larp db wait"


def test_a_missing_socket() -> None:
    """A Unix socket that is not there counts as refused."""
    error = failure("postgresql://larp:sesame@/larp?host=/nonexistent")

    assert error.reason == "refused"
    assert "/nonexistent/.s.PGSQL.5432" in error.message


def test_an_unknown_host() -> None:
    """A host name that does not resolve has its own reason."""
    error = failure(place("nowhere.invalid", 5432))

    assert (type(error), error.reason, error.transient) == (errors.UnknownHost, "dns", True)


def test_a_wrong_password(server: Server, database: str) -> None:
    """A wrong password does not pass by waiting, and is not repeated."""
    wrong = server.url(normalise_url(database).database, password="not-sesame%@:'")

    error = failure(wrong)

    assert type(error) is errors.WrongPassword
    assert (error.reason, error.transient) == ("auth", False)
    assert "not-" not in f"{error} {error.hint}"


def test_a_missing_password(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that was forgotten is told from one that is wrong."""
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    url = normalise_url(database)

    error = failure(f"postgresql://{url.user}@{url.address}/{url.database}")

    assert type(error) is errors.PasswordMissing


def test_a_password_file(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The password file serves as in libpq, and is complained about no more than once."""
    url = normalise_url(database)
    escaped = re.sub(r"([:\\])", r"\\\1", PASSWORD)
    passwords = tmp_path / "passwords"
    passwords.write_text(f"*:*:{url.database}:{url.user}:{escaped}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))

    opened(f"postgresql://{url.user}@{url.address}/{url.database}").close()

    passwords.chmod(0o644)
    error = failure(f"postgresql://{url.user}@{url.address}/{url.database}")
    assert type(error) is errors.PasswordMissing
    assert capfd.readouterr().err.count("WARNING: password file") == 1


def test_a_role_that_may_not_log_in(server: Server, role: str, database: str) -> None:
    """A role without LOGIN is named."""
    server.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))

    error = failure(server.url(normalise_url(database).database, user=role, password="sesame"))

    assert type(error) is errors.NoSuchRole
    assert role in error.message


def test_a_role_with_no_connection_left(server: Server, role: str, database: str) -> None:
    """A connection limit is a reason that passes."""
    server.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(sql.Identifier(role)))

    error = failure(server.url(normalise_url(database).database, user=role, password="sesame"))

    assert (error.reason, error.transient) == ("too_many_connections", True)


def test_a_role_without_the_right_to_connect(server: Server, role: str, database: str) -> None:
    """A database that a role may not enter is a matter of rights, not of waiting."""
    name = normalise_url(database).database
    server.execute(
        sql.SQL("REVOKE CONNECT ON DATABASE {} FROM public").format(sql.Identifier(name))
    )

    error = failure(server.url(name, user=role, password="sesame"))

    assert (error.reason, error.transient) == ("auth", False)


def test_a_missing_database(missing_database: str) -> None:
    """A database that is not there yet ends in the command that makes it."""
    error = failure(missing_database)

    assert type(error) is errors.DatabaseMissing
    assert (error.reason, error.transient) == ("database_missing", True)
    assert error.hint == "larp db init"


def test_a_server_without_tls(database: str) -> None:
    """Asking for TLS where there is none is told as such."""
    assert failure(f"{database}?sslmode=require").reason == "tls"


def test_an_option_that_the_server_rejects(database: str) -> None:
    """An unknown startup option does not pass by waiting."""
    error = failure(f"{database}?options=-c%20nonsense%3D1")

    assert (type(error), error.transient) == (errors.RejectedOption, False)


def test_a_primary_where_a_standby_is_wanted(database: str) -> None:
    """target_session_attrs that no host meets is told, and may pass with a failover."""
    error = failure(f"{database}?target_session_attrs=standby")

    assert (type(error), error.transient) == (errors.NotPrimary, True)


def test_something_else_that_listens() -> None:
    """A port where no PostgreSQL is does not pass by waiting."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1024)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        error = failure(place("127.0.0.1", listener.getsockname()[1]) + "?sslmode=disable")
        thread.join()

    assert (type(error), error.transient) == (errors.NotPostgres, False)


def test_a_black_hole_is_left_in_time(black_hole: int) -> None:
    """A host that never answers costs the timeout, below libpq's two seconds as well."""
    began = time.monotonic()
    error = failure(place("127.0.0.1", black_hole), timeout=0.5)

    assert type(error) is errors.ConnectTimeout
    assert time.monotonic() - began < 1.9


def test_several_black_holes_share_the_time(black_hole: int) -> None:
    """The timeout is for all hosts together."""
    hosts = ",".join([f"127.0.0.1:{black_hole}"] * 3)
    began = time.monotonic()
    error = failure(f"postgresql://larp:sesame@{hosts}/larp", timeout=1.5)

    assert error.reason == "timeout"
    assert time.monotonic() - began < 4.4  # one after the other they take 4.5


def test_a_black_hole_does_not_hide_the_host_behind_it(database: str, black_hole: int) -> None:
    """Time is left for the second host when the first never answers."""
    url = normalise_url(database)
    parameters = f"password={quote(url.parameters['password'], safe='')}"
    hosts = f"127.0.0.1:{black_hole},{url.address}"

    text = f"postgresql://{url.user}@{hosts}/{url.database}?{parameters}"
    with opened(text, timeout=2) as connection:
        assert str(connection.info.port) == url.hosts[0].port


def test_a_dead_host_is_waited_for_once(database: str, black_hole: int) -> None:
    """The next connection, also of a copy, and psql begin with the host that answered."""
    url = normalise_url(database.replace("@127.0.0.1:", f"@127.0.0.1:{black_hole},127.0.0.1:"))
    target = Database(url=url, environment=Environment.TESTING, connect_timeout=3)
    began = time.monotonic()
    target.connect().close()
    first = time.monotonic() - began
    replace(target, statement_timeout=1).connect().close()
    second = time.monotonic() - began - first

    assert second < first / 2
    assert client_environment(target)["PGPORT"] == url.hosts[1].port


def test_a_host_without_the_database_does_not_hide_the_primary(
    database: str, postgresql_16: Server
) -> None:
    """A standby may not have it yet; what is asked for is the primary."""
    elsewhere = f"127.0.0.1:{postgresql_16.port},127.0.0.1:"
    url = database.replace("127.0.0.1:", elsewhere) + "?target_session_attrs=read-write"
    with pytest.raises(errors.DatabaseMissing):  # libpq's own rule
        opened(url.partition("?")[0])
    with opened(url) as connection:
        assert connection.info.port != postgresql_16.port


def test_the_failures_of_several_hosts_are_told_in_one_line(black_hole: int) -> None:
    """Each host is named with what it did; nothing of libpq's own layout is left."""
    dead = free_port()
    hosts = f"127.0.0.1:{black_hole},127.0.0.1:{dead}"

    error = failure(f"postgresql://larp:sesame@{hosts}/larp", timeout=0.5)

    assert error.message == (
        f"no host of the database can be used: 127.0.0.1:{black_hole} did not answer in time;"
        f" 127.0.0.1:{dead} refused the connection: no server listens there"
    )
    assert error.__cause__ is not None


def test_a_wrong_password_ends_the_search(server: Server, database: str) -> None:
    """A host that refuses the role is the last to be tried, as in libpq."""
    url = normalise_url(database)
    hosts = f"{url.address},127.0.0.1:{free_port()}"

    error = failure(f"postgresql://{url.user}:not-sesame@{hosts}/{url.database}")

    assert type(error) is errors.WrongPassword
    assert error.message.startswith(f"PostgreSQL at {url.address} ")


def test_a_given_address_needs_no_name(database: str) -> None:
    """With hostaddr in the URL the host's name is not looked up."""
    url = normalise_url(database)
    password = quote(PASSWORD, safe="")
    port = url.hosts[0].port

    with opened(
        f"postgresql://{url.user}:{password}@nowhere.invalid:{port}/{url.database}"
        "?hostaddr=127.0.0.1"
    ) as connection:
        assert connection.info.hostaddr == "127.0.0.1"


def test_a_setting_that_the_server_refuses_leaves_no_connection(database: str) -> None:
    """A connection that cannot be set up as wanted is closed again."""
    with pytest.raises(errors.StatementFailed):
        connect(
            normalise_url(database),
            application_name="t",
            connect_timeout=5,
            timeouts=SessionTimeouts(statement=1e10),
        )


def test_connecting_imports_no_sqlalchemy() -> None:
    """The way to connect stays light."""
    code = (
        "import sys, larp_cli.postgres.connection;"
        "sys.exit(any(name.startswith(('sqlalchemy', 'pydantic')) for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
