"""TEMPORARY: a private PostgreSQL, until the shared fixtures are there. Will be replaced."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

BIN = Path("/usr/lib/postgresql/15/bin")


class Server:
    """A running PostgreSQL that asks for a password over TCP."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        """URL of a database, as superuser."""
        return f"postgresql://postgres:sesame@127.0.0.1:{self.port}/{database}"


def _run(*command: str) -> None:
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, cwd="/tmp")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Start a PostgreSQL of our own."""
    root = Path(tempfile.mkdtemp(prefix="larp-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(root, "postgres")
    password = root / "password"
    password.write_text("sesame")
    password.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = str(root / "data")
    _run(f"{BIN}/initdb", "-D", data, "-U", "postgres", f"--pwfile={password}", "-N",
         "--auth=scram-sha-256", "-E", "UTF8", "--locale=C")  # fmt: skip
    options = f"-p {port} -k {root} -c fsync=off"
    _run(f"{BIN}/pg_ctl", "-D", data, "-w", "-l", str(root / "log"), "-o", options, "start")
    yield Server(port)
    _run(f"{BIN}/pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(root)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """Give a fresh, empty database."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.url(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
