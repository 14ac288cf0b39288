"""The embedded server is shared by processes and stopped by the last of them."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ConfigurationError, ExitCode, Locked
from larp_cli.postgres.embedded import EmbeddedServer
from tests.databases import until
from tests.integration.postgres.embedded.support import (
    TENANT,
    Listener,
    Tenant,
    postgres_below,
)

type Start = Callable[..., Tenant]

NAMES = ["all, \"of' $it`", "with spaces", "a,b", "héim", "colon:9", "long" * 50]


@pytest.mark.usefixtures("seeded")
def test_a_lease_starts_the_server_and_its_end_stops_it(
    server: EmbeddedServer, home: Path, listener: Listener
) -> None:
    """A server exists while it is leased, and one line says that it is used."""
    with server.lease() as lease:
        with psycopg.connect(lease.url("postgres")) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        during = server.status()

    assert row is not None and row[0].startswith("18.")
    assert during.running and not during.kept
    assert (during.pid, during.version) == (lease.pid, "18")
    assert during.url == lease.url("postgres")
    assert not server.status().running
    assert postgres_below(home) == []
    assert listener.notes == [f"using the embedded PostgreSQL 18 in {home}"]


@pytest.mark.usefixtures("seeded")
def test_leases_nest(server: EmbeddedServer) -> None:
    """The inner of two leases in one process does not stop the server of the outer."""
    with server.lease() as outer:
        with server.lease() as inner:
            assert inner == outer
        assert server.status().running
    assert not server.status().running


@pytest.mark.usefixtures("seeded")
def test_two_processes_share_one_server(server: EmbeddedServer, tenant: Start) -> None:
    """The first process to leave does not stop the server under the other."""
    first, second = tenant(), tenant()
    assert first.hear("leased") == second.hear("leased")

    assert first.leave() == 0
    assert server.status().running
    assert second.leave() == 0
    assert not server.status().running


def test_five_processes_at_once_on_a_new_home(server: EmbeddedServer, tenant: Start) -> None:
    """Processes that race to create the data all get the same server."""
    tenants = [tenant() for _ in range(5)]

    assert len({one.hear("leased") for one in tenants}) == 1
    assert [one.leave() for one in tenants] == [0] * 5
    assert not server.status().running


@pytest.mark.usefixtures("seeded")
def test_the_server_of_a_killed_process_is_taken_over(
    server: EmbeddedServer, tenant: Start
) -> None:
    """A kill -9 leaves a server that the next lease uses, and stops at its end."""
    killed = tenant()
    pid = int(killed.hear("leased"))
    killed.process.kill()
    killed.process.wait()
    assert server.status().running

    with server.lease() as lease:
        assert lease.pid == pid
    assert not server.status().running


@pytest.mark.usefixtures("seeded")
def test_a_killed_server_starts_again(server: EmbeddedServer, home: Path) -> None:
    """After a kill -9 of the server, with a session still open, the next lease has a new one."""
    with server.lease() as lease:
        connection = psycopg.connect(lease.url("postgres"))
        os.kill(lease.pid, signal.SIGKILL)
        until(lambda: not server.status().running)
        with server.lease() as again:
            assert again.pid != lease.pid
            psycopg.connect(again.url("postgres")).close()
        connection.close()
    assert postgres_below(home) == []


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_lease_stops_the_server(
    server: EmbeddedServer, tenant: Start, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM unwind the lease as its end does."""
    interrupted = tenant()
    interrupted.hear("leased")
    interrupted.process.send_signal(number)

    assert interrupted.leave() == 128 + number
    assert not server.status().running


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("steps", [0, 1, 2, 4])
def test_an_interrupted_start_leaves_nothing_running(
    server: EmbeddedServer, home: Path, tenant: Start, steps: int
) -> None:
    """Ctrl-C while the server comes up leaves no server behind, at whatever moment."""
    with server.lease():
        pass
    interrupted = tenant()
    interrupted.hear("note")
    for _ in range(steps):
        socket.getaddrinfo("localhost", None)
        postgres_below(home)
    interrupted.process.send_signal(signal.SIGINT)

    assert interrupted.leave() == ExitCode.INTERRUPTED
    assert postgres_below(home) == []
    with server.lease():
        assert server.status().running


def test_a_kill_while_the_data_is_created_leaves_nothing_half_done(
    server: EmbeddedServer, home: Path, tenant: Start
) -> None:
    """The next lease sweeps what a killed initdb left, and creates the data anew."""
    killed = tenant()
    until(lambda: list(home.glob("embedded/data.initdb-*")))
    killed.process.kill()
    killed.process.wait()
    assert not (home / "embedded/data").exists()

    with server.lease() as lease:
        psycopg.connect(lease.url("postgres")).close()
    until(lambda: postgres_below(home) == [])
    with server.lease():
        pass
    assert len(list(home.glob("embedded/data*"))) <= 2


@pytest.mark.usefixtures("seeded")
def test_start_keeps_the_server_until_stop(server: EmbeddedServer, tenant: Start) -> None:
    """A server that was started on purpose outlives leases and processes."""
    assert server.start()
    assert not server.start()
    one = tenant()
    one.hear("leased")
    assert one.leave() == 0
    with server.lease():
        pass
    status = server.status()
    assert status.running and status.kept

    assert server.stop()
    assert not server.stop()
    status = server.status()
    assert not status.running and not status.kept


@pytest.mark.usefixtures("seeded")
def test_start_keeps_a_server_that_a_lease_began(server: EmbeddedServer) -> None:
    """Starting while somebody holds a lease changes who ends the server."""
    with server.lease():
        assert server.start()
    assert server.status().running


@pytest.mark.usefixtures("seeded")
def test_stop_ends_a_server_in_use(server: EmbeddedServer, listener: Listener) -> None:
    """Stopping does what the operator asked, and the lease under it ends without a complaint."""
    with server.lease():
        assert server.stop()
        assert not server.status().running
    assert listener.warnings == []


def test_status_creates_nothing(server: EmbeddedServer, home: Path) -> None:
    """Asking about a server that never was answers no, and leaves the disk alone."""
    status = server.status()

    assert (status.running, status.kept, status.version, status.pid, status.url) == (
        (False, False) + (None,) * 3
    )
    assert not server.stop()
    assert not home.exists()


@pytest.mark.usefixtures("seeded")
def test_captured_pipes_do_not_hang(server: EmbeddedServer, home: Path) -> None:
    """Whoever captures the output of a command that starts the server is not kept waiting."""
    outcome = subprocess.run(
        [sys.executable, str(TENANT), str(home), "start"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert outcome.stdout.splitlines()[-1] == "True"
    assert outcome.stderr == ""
    assert server.status().running


@pytest.mark.usefixtures("seeded")
def test_the_server_has_a_session_of_its_own(server: EmbeddedServer) -> None:
    """Ctrl-C at the terminal does not reach the server."""
    with server.lease() as lease:
        assert os.getsid(lease.pid) != os.getsid(0)


@pytest.mark.usefixtures("seeded")
def test_the_callers_postgres_environment_does_not_matter(
    server: EmbeddedServer, directory: Path, tenant: Start
) -> None:
    """PG* variables meant for another server reach neither the server nor the connection."""
    strange = {"PGHOST": "db.invalid", "PGPORT": "1", "PGDATA": str(directory / "elsewhere")}
    one = tenant("lease", **strange, PGUSER="nobody", LC_ALL="xx_YY", LANG="xx_YY")
    one.hear("leased")

    assert one.leave() == 0
    assert not server.status().running


def test_a_busy_control_lock_is_named(home: Path, listener: Listener) -> None:
    """Whoever cannot get the lock in time learns which file is held."""
    server = EmbeddedServer(home, listener, timeout=0.1)
    lock = home / "embedded/control.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Locked, match=str(lock)), server.lease():
            pass


def test_a_home_that_is_a_file_ends_in_a_hint(server: EmbeddedServer, home: Path) -> None:
    """A LARP_HOME that cannot be a directory is a configuration error that names it."""
    home.touch()

    with pytest.raises(ConfigurationError, match=str(home)) as caught, server.lease():
        pass
    assert caught.value.hint == "set LARP_HOME to a directory you can write"


def test_a_strange_data_directory_is_left_alone(server: EmbeddedServer, home: Path) -> None:
    """What is in the way of the data is neither used nor removed."""
    precious = home / "embedded/data/precious"
    precious.parent.mkdir(parents=True)
    precious.touch()

    with pytest.raises(ConfigurationError, match="not a PostgreSQL data directory"), server.lease():
        pass
    assert precious.exists()


@pytest.mark.parametrize(
    "name", ["with spaces", "a,b", "q\"uo'te", "dollar$HOME`", "héim", "colon:9", "long" * 50]
)
def test_any_path_can_be_a_home(
    directory: Path, listener: Listener, template: Path, name: str
) -> None:
    """Spaces, list separators, quotes, and paths too long for a socket all work."""
    (directory / name).mkdir()
    if name != NAMES[0]:  # one of them also creates its data there
        subprocess.run(["cp", "-a", template, directory / name / "embedded"], check=True)
    server = EmbeddedServer(directory / name, listener, timeout=60)
    with server.lease() as lease:
        with psycopg.connect(lease.url("postgres")) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        sockets = Path(lease.socket_directory)
        assert sockets.stat().st_mode & 0o777 == 0o700

    assert row == (str(directory / name / "embedded/data"),)
    assert sockets.parent == directory / name / "embedded" or not sockets.exists()
