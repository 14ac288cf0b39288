"""Real PostgreSQL servers for the tests: the embedded 18 and 16, and an installed 15."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NoReturn
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from larp_cli.errors import ExtraMissing
from larp_cli.postgres.embedded import Cluster, installation
from tests.processes import send_signals

OWNER, PASSWORD = "larp_owner", "sesame%40:/'x"
"""A role that may create databases and no more, and a password that needs care."""

MEMORY = Path("/dev/shm")
ROOM = 1024**3
"""Bytes that the servers of one test process need in memory."""
STATEMENT_TIMEOUT = "60s"
"""Bounds each statement of the superuser: a session that hangs blocks DROP DATABASE for ever."""

_numbers = itertools.count(1)


@dataclass
class Server:
    """A running server and how to enter it as a role without special rights."""

    administrator: str
    """Connection string of a superuser."""
    host: str
    port: int
    created: list[str] = field(default_factory=list)
    """Databases to drop when the test is over."""
    running: ClassVar[list[Server]] = []
    """Those of the session."""
    _connection: psycopg.Connection | None = field(default=None, init=False)

    def url(self, database: str, *, user: str = OWNER, password: str = PASSWORD) -> str:
        """Return the URL of a database on this server."""
        secret = quote(password, safe="")
        return f"postgresql://{user}:{secret}@{self.host}:{self.port}/{database}"

    def execute(self, statement: sql.Composed | str, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        if database != "postgres":
            with psycopg.connect(self.administrator, dbname=database, autocommit=True) as other:
                other.execute(statement)
            return
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self.administrator,
                dbname=database,
                autocommit=True,
                options=f"-c statement_timeout={STATEMENT_TIMEOUT}",
            )
        self._connection.execute(statement)

    def close(self) -> None:
        """Close the superuser's connection."""
        if self._connection is not None:
            self._connection.close()

    def new_name(self) -> str:
        """Return a name that no database has; what takes it is dropped in the end."""
        name = f"larp_test_{os.getpid()}_{next(_numbers)}"
        self.created.append(name)
        return name

    def create(self, template: str = "template0") -> str:
        """Create a database, as a copy of ``template``; returns its name.

        Without fsync copying the files is quicker than logging the pages.
        """
        name = self.new_name()
        self._copy(template, name)
        return name

    def replace(self, name: str, template: str) -> None:
        """Put a copy of ``template`` in the place of a database."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self._copy(template, name)

    def _copy(self, template: str, name: str) -> None:
        self.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
            )
        )

    def drop_created(self) -> None:
        """Drop what the tests made."""
        while self.created:
            name = sql.Identifier(self.created.pop())
            self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def prepare(self) -> None:
        """Create the role that the tests act as.

        Its password is hashed once instead of 4096 times, which makes connecting cheap.
        """
        create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
            sql.Identifier(OWNER), sql.Literal(PASSWORD)
        )
        with psycopg.connect(self.administrator, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(OWNER)))
            if connection.info.server_version >= 160000:
                connection.execute("SET scram_iterations = 1")
            connection.execute(create)


def programs_of(major: int) -> Path:
    """Find the programs of a major version: in the wheel, or where Debian puts them."""
    debian = Path(f"/usr/lib/postgresql/{major}/bin")
    if (debian / "postgres").exists():
        return debian
    try:
        return installation(major)
    except (ExtraMissing, ValueError) as error:
        reason = f"PostgreSQL {major} is not installed: {error}"
        if major == 15:  # the system's, which the project does not bring
            pytest.skip(reason)
        unavailable(reason)


def unavailable(reason: str, *, program: str | None = None) -> NoReturn:
    """Skip at a desk; fail in CI, unless LARP_TEST_WITHOUT lists the program."""
    without = os.environ.get("LARP_TEST_WITHOUT", "").split(",")
    if os.environ.get("CI") and program not in without:
        pytest.fail(reason)
    pytest.skip(reason)


def make_scratch_directory() -> Path:
    """Make a directory for servers, in memory where there is room, and otherwise on disk.

    Creating a database writes 300 files. On disk that costs ten times as much CPU time.
    """
    _remove_abandoned_directories()
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    parent = None
    if MEMORY.is_dir():
        status = os.statvfs(MEMORY)
        free = status.f_bavail * status.f_frsize
        if free > workers * ROOM and not status.f_flag & os.ST_NOEXEC:
            parent = MEMORY
    directory = Path(tempfile.mkdtemp(prefix=f"larp-test-{os.getpid()}-", dir=parent)).resolve()
    directory.chmod(0o755)
    return directory


def _remove_abandoned_directories() -> None:
    """Stop the servers of test processes that were killed, and free their memory."""
    for directory in MEMORY.glob("larp-test-*-*"):
        pid = directory.name.split("-")[2]
        if not pid.isdecimal() or psutil.pid_exists(int(pid)):
            continue
        for file in directory.rglob("postmaster.pid"):
            postmaster = Cluster(file.parent.parent).postmaster()
            if postmaster is not None:
                send_signals(postmaster.pid, signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def started(major: int, directory: Path) -> Iterator[Server]:
    """Run a server of a major version, on loopback and as fast as it can be unsafe."""
    port = free_port()
    cluster = Cluster(
        directory,
        programs_of(major),
        settings={
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "max_wal_size": "64MB",
            "min_wal_size": "32MB",
        },
    )
    cluster.initialise()
    cluster.start()
    try:
        server = Server(cluster.url(), "127.0.0.1", port)
        server.prepare()
        Server.running.append(server)
        yield server
    finally:
        for server in [server for server in Server.running if server.port == port]:
            server.close()
            Server.running.remove(server)
        # Nothing is kept: writing out what hundreds of databases hold would take half a minute.
        postmaster = cluster.postmaster()
        if postmaster is not None:
            send_signals(postmaster.pid, signal.SIGQUIT)
        cluster.stop()


@contextmanager
def external(url: str) -> Iterator[Server]:
    """Use the server that LARP_TEST_DATABASE_URL names, as its superuser."""
    parameters = conninfo_to_dict(url)
    server = Server(url, str(parameters["host"]), int(parameters.get("port") or 5432))
    server.prepare()
    try:
        yield server
    finally:
        server.drop_created()
        server.close()


def free_port() -> int:
    """Find a TCP port on loopback that is free, and that no client is given meanwhile.

    The kernel gives clients ports from 32768 up. The seed of ``random`` is the same in each
    process of the tests, so it is not used here.
    """
    while True:
        port = 10240 + secrets.randbelow(32768 - 10240)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
