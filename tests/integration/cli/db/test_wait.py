from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from larp_cli.errors import ExitCode
from larp_cli.postgres.embedded import Cluster
from tests.conftest import Larp, LarpProcess
from tests.databases import query, until
from tests.integration.cli.db.conftest import Use
from tests.processes import PATIENCE
from tests.servers import Server, free_port, programs_of
from tests.wire import proxied


def test_a_database_that_is_up_is_told_at_once(larp: Larp, empty: str) -> None:
    """An empty database answers queries: that is all that is asked."""
    outcome = larp("db", "wait", "--json")

    assert (outcome.exit_code, outcome.document["changed"]) == (ExitCode.OK, False)
    assert outcome.result["waited_seconds"] < 5
    assert outcome.result["server"]["database"] == empty.rpartition("/")[2]


def test_a_server_that_comes_up_later_is_waited_for(
    larp_process: LarpProcess, server_directory: Path
) -> None:
    """It goes on asking until the server takes queries, and says what it waits for."""
    port = free_port()
    local = {"port": str(port), "fsync": "off"}
    cluster = Cluster(server_directory / "late", programs_of(18), settings=local)
    cluster.initialise()
    cluster.start()
    query(cluster.url(), "ALTER ROLE postgres PASSWORD 'sesame'")
    cluster.stop()
    cluster.settings["listen_addresses"] = "127.0.0.1"
    env = {"DATABASE_URL": f"postgresql://postgres:sesame@127.0.0.1:{port}/postgres"}
    arguments = ("db", "wait", "--timeout", "60", "--json")
    try:
        with larp_process.start(*arguments, env=env) as process:
            assert process.stderr is not None
            lines = iter(process.stderr)
            assert any("no server listens there" in line for line in lines)
            cluster.start()
            process.wait(timeout=PATIENCE)
            stdout = process.stdout.read() if process.stdout else ""
    finally:
        cluster.stop()

    assert process.returncode == ExitCode.OK, stdout
    assert '"waited_seconds"' in stdout


def test_a_missing_database_may_still_be_created(
    larp_process: LarpProcess, use: Use, server: Server
) -> None:
    """A database that is not there yet is waited for, as another container may create it."""
    name = server.new_name()
    use(server.url(name))

    with larp_process.start("db", "wait", "--timeout", "60", "--json") as process:
        assert process.stderr is not None
        assert any("has no database" in line for line in process.stderr)
        server.execute(f"CREATE DATABASE {name} OWNER larp_owner")
        stdout = process.stdout.read() if process.stdout else ""
        process.wait(timeout=PATIENCE)

    assert process.returncode == ExitCode.OK, stdout


def test_a_wrong_password_is_told_at_once(larp: Larp, use: Use, server: Server) -> None:
    """What will not pass by itself is not waited out."""
    use(server.url("postgres", password="wrong"))
    began = time.monotonic()

    outcome = larp("db", "wait", "--timeout", "60", "--json")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert time.monotonic() - began < 30


def test_when_the_time_is_up_the_last_error_is_told(
    larp: Larp, use: Use, dead_database: str
) -> None:
    """Exit 5 with the reason, not just that time is up; each reason is told once."""
    use(dead_database)
    began = time.monotonic()

    outcome = larp("db", "wait", "--timeout", "1.2", "--json")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "no server listens there" in outcome.document["error"]["message"]
    assert 1.2 <= time.monotonic() - began < 30
    assert len(re.findall("no server listens there", outcome.stderr)) == 1


def test_a_signal_ends_the_waiting(
    larp_process: LarpProcess, server: Server, tmp_path: Path, use: Use
) -> None:
    """A signal ends the waiting with its own exit code."""
    use(f"postgresql://larp@127.0.0.1:{free_port()}/larp")

    with larp_process.start("db", "wait", "--timeout", "60") as process:
        assert process.stderr is not None
        assert any("no server listens there" in line for line in process.stderr)
        process.terminate()
        process.wait(timeout=PATIENCE)

    assert process.returncode == ExitCode.TERMINATED


def test_a_database_that_takes_no_connections_is_waited_for(
    larp: Larp, server: Server, use: Use
) -> None:
    """A database that takes no connections for a while is waited for."""
    name = server.create()
    server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    use(server.url(name))

    outcome = larp("db", "wait", "--timeout", "0.5", "--json")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    until(lambda: larp("db", "wait", "--timeout", "5").exit_code == ExitCode.OK)


def test_a_server_that_goes_silent_after_the_login_is_given_up(
    larp_process: LarpProcess, server: Server, database: str, use: Use
) -> None:
    """A proxy that stops forwarding sends neither an answer nor an end: the clock decides."""
    with falling_silent(server, before=b"pg_is_in_recovery") as port:
        use(f"{database.replace(f':{server.port}/', f':{port}/')}?sslmode=disable")
        began = time.monotonic()

        outcome = larp_process("db", "wait", "--timeout", "1.5", "--json")

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert "did not answer in time" in outcome.document["error"]["message"]
    assert time.monotonic() - began < 30


@contextmanager
def falling_silent(server: Server, *, before: bytes) -> Iterator[int]:
    """Forward to the server from a port until a client says ``before``; then only listen."""

    def forward(client: socket.socket, upstream: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([client, upstream], [], [])
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                if before in data:
                    while client.recv(65536):
                        pass
                    return
                (upstream if source is client else client).sendall(data)

    with proxied(server, forward) as port:
        yield port
