"""A cluster creates its data, starts and stops, and survives what may have gone before."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import CommandFailed, ConfigurationError, ExtraMissing
from larp_cli.postgres.embedded import Cluster, installation
from larp_cli.postgres.embedded.account import process_options
from larp_cli.postgres.embedded.binaries import copy_installation
from tests.processes import PATIENCE
from tests.servers import free_port

FAST = {"fsync": "off"}
DEBIAN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def cluster(directory: Path, template: Path) -> Iterator[Cluster]:
    """Yield a cluster with data, not running."""
    subprocess.run(["cp", "-a", template, directory / "one"], check=True)
    cluster = Cluster(directory / "one", settings=FAST, timeout=PATIENCE)
    yield cluster
    cluster.stop()


@pytest.mark.parametrize("major", [15, 16, 18])
def test_each_major_version_serves_socket_and_tcp(directory: Path, major: int) -> None:
    """Servers of the wheel and of the system alike sort by C.UTF-8 and ask for passwords on TCP."""
    if major == 15 and not DEBIAN.is_dir():
        pytest.skip(f"no PostgreSQL 15 in {DEBIAN}")
    port = free_port()
    settings = FAST | {"listen_addresses": "127.0.0.1", "port": str(port)}
    programs = DEBIAN if major == 15 else installation(major)
    cluster = Cluster(directory / "one", programs, settings=settings, timeout=PATIENCE)

    assert cluster.initialise() and not cluster.initialise()
    assert cluster.start() and not cluster.start()
    try:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            assert connection.info.server_version // 10000 == major
            assert connection.info.encoding == "utf-8"
            connection.execute("ALTER ROLE postgres PASSWORD 'sesame'")
            assert connection.execute("SELECT upper('ä'), 'a' < 'B'").fetchone() == ("Ä", False)
        url = f"postgresql://postgres:{{}}@127.0.0.1:{port}/postgres"
        psycopg.connect(url.format("sesame")).close()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.format("wrong"))
    finally:
        assert cluster.stop() and not cluster.stop()


def test_a_server_without_a_socket_is_reached_by_tcp(directory: Path) -> None:
    """A cluster that only listens on TCP has a URL with its address."""
    settings = {"unix_socket_directories": "", "listen_addresses": "127.0.0.1"}
    cluster = Cluster(directory / "one", settings=FAST | settings | {"port": str(free_port())})
    cluster.initialise()
    cluster.start()
    assert cluster.url("x") == f"postgresql://postgres@127.0.0.1:{cluster.port}/x"
    assert cluster.stop()


def test_a_stale_pid_file_that_names_a_living_program(cluster: Cluster) -> None:
    """A pid that another program has now does not keep the server from starting, nor is it hurt."""
    cluster.start()
    lock_files = [
        cluster.data_directory / "postmaster.pid",
        cluster.directory / "run/.s.PGSQL.5432.lock",
    ]
    saved = [file.read_text() for file in lock_files]
    cluster.stop()
    with subprocess.Popen(["sleep", "60"], **process_options(cluster.account)) as bystander:
        for file, text in zip(lock_files, saved, strict=True):
            file.write_text("\n".join([str(bystander.pid), *text.split("\n")[1:]]))
            shutil.chown(file, cluster.data_directory.owner())
        assert not cluster.running()
        assert not cluster.stop()

        assert cluster.start()
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("content", ["", "nonsense\n"])
def test_a_senseless_pid_file_is_replaced(cluster: Cluster, content: str) -> None:
    """A pid file that a full disk left empty does not keep the server from starting."""
    file = cluster.data_directory / "postmaster.pid"
    file.write_text(content)

    assert not cluster.stop()
    assert cluster.start()


def test_a_server_whose_socket_was_cleaned_away_is_restarted(cluster: Cluster) -> None:
    """A server that nobody can reach any more makes room for one that can be reached."""
    cluster.start()
    before = cluster.postmaster()
    assert before is not None
    before.socket_path.unlink()

    assert cluster.start()
    after = cluster.postmaster()
    assert after is not None and after.pid != before.pid


def test_data_of_another_major_version_is_refused(directory: Path) -> None:
    """Data that the programs cannot read ends in a hint, before anything is started."""
    older = Cluster(directory / "one", installation(16), settings=FAST)
    older.initialise()

    with pytest.raises(ConfigurationError, match="PostgreSQL 16.*PostgreSQL 18") as caught:
        Cluster(directory / "one").start()
    assert caught.value.hint is not None and str(older.data_directory) in caught.value.hint


def test_a_failed_start_shows_the_end_of_the_log(cluster: Cluster) -> None:
    """The reason why a server did not start is in the message, and nothing is left of it."""
    broken = Cluster(cluster.directory, settings={"shared_buffers": "nonsense"}, timeout=PATIENCE)

    with pytest.raises(CommandFailed, match="shared_buffers") as caught:
        broken.start()
    assert caught.value.hint == f"see {cluster.log_file}"
    assert not broken.running()
    assert cluster.start()


def test_a_large_log_begins_anew(cluster: Cluster) -> None:
    """The log does not grow for ever."""
    with cluster.log_file.open("wb") as log:
        log.truncate(11 * 1024 * 1024)

    cluster.start()
    assert cluster.log_file.stat().st_size < 100_000


def test_a_stopped_cluster_has_no_url(cluster: Cluster) -> None:
    """A URL is only given for a server that takes connections."""
    with pytest.raises(CommandFailed, match="not running"):
        cluster.url()


def test_the_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the message says which extra to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ExtraMissing, match="embedded"):
        installation()


def test_a_version_that_the_wheel_lacks_is_named() -> None:
    """A major version that the wheel does not carry is a configuration error."""
    with pytest.raises(ConfigurationError, match="PostgreSQL 9"):
        installation(9)


def test_the_programs_work_from_a_copy(directory: Path) -> None:
    """A copy is made once, replaces that of another version, and finds its libraries."""
    outdated = directory / "pginstall18-0.1"
    outdated.mkdir()
    copy = copy_installation(installation(), directory)

    assert not outdated.exists()
    assert copy_installation(installation(), directory) == copy
    for program in ("postgres", "psql", "pg_dump"):
        version = subprocess.run([copy / program, "--version"], capture_output=True, text=True)
        assert "(PostgreSQL) 18" in version.stdout
    assert [os.stat(path).st_mode & 0o055 for path in (copy, copy / "initdb")] == [0o055] * 2
