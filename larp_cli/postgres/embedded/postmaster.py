"""Inspect a running server: its postmaster.pid, socket and process."""

from __future__ import annotations

import importlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from larp_cli.errors import ExtraMissing

CONNECT_SECONDS = 2.0
SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """The content of postmaster.pid (PostgreSQL: src/include/utils/pidfile.h)."""

    pid: int
    """Process id; 0 if the file is not readable as such."""
    port: int = 0
    socket_directory: str = ""
    listen_address: str = ""
    status: str = "starting"

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's libpq URL of ``database``.

        It always contains the port, because libpq would otherwise read PGPORT.
        """
        name = quote(database, safe="")
        if self.socket_directory:
            host = quote(self.socket_directory, safe="")
            return f"postgresql://{SUPERUSER}@/{name}?host={host}&port={self.port}"
        address = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{SUPERUSER}@{address}:{self.port}/{name}"

    @property
    def host(self) -> str:
        """Address of a server without a Unix socket."""
        return {"*": "localhost", "0.0.0.0": "127.0.0.1"}.get(
            self.listen_address, self.listen_address
        )

    @property
    def socket_path(self) -> Path:
        """Path of the Unix socket."""
        return Path(self.socket_directory, f".s.PGSQL.{self.port}")

    def answers(self) -> bool:
        """Return whether the server accepts connections, whatever its files say."""
        if self.status not in ("ready", "standby"):
            return False
        try:
            if not self.socket_directory:
                with socket.create_connection((self.host, self.port), CONNECT_SECONDS):
                    return True
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(CONNECT_SECONDS)
                client.connect(str(self.socket_path))
                return True
        except OSError:
            return False


def read_postmaster(data_directory: Path) -> Postmaster | None:
    """Read postmaster.pid in ``data_directory``; None if there is none."""
    try:
        text = (data_directory / "postmaster.pid").read_text(errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines = [line.strip("\n") for line in text.split("\n")]
    try:
        # In single-user mode the server writes its pid negated.
        pid = abs(int(lines[0]))
        if len(lines) < 8:
            return Postmaster(pid=pid)
        return Postmaster(
            pid=pid,
            port=int(lines[3]),
            socket_directory=lines[4],
            listen_address=lines[5].strip(),
            status=lines[7].strip() or "starting",
        )
    except ValueError:
        return Postmaster(pid=0)


def is_server(pid: int, data_directory: Path) -> bool:
    """Return whether ``pid`` is the live server of ``data_directory``.

    Another program may have the pid by now, so this compares the command line. Unlike the
    working directory, it is readable without CAP_SYS_PTRACE, which containers drop.

    Raises:
        ExtraMissing: psutil is not installed.
    """
    psutil = _psutil()
    try:
        arguments = psutil.Process(pid).cmdline() if pid > 0 else []
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # A zombie counts as gone. A process that we may not inspect belongs to another user.
        return False
    if not arguments or not Path(arguments[0]).name.startswith(("postgres", "postmaster")):
        return False
    return any(_is_same(text, data_directory) for text in arguments[1:])


def is_alive(pid: int) -> bool:
    """Return whether ``pid`` is a running process: not gone, and not a zombie.

    Raises:
        ExtraMissing: psutil is not installed.
    """
    psutil = _psutil()
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def is_taken(pid: int) -> bool:
    """Return whether any process has this pid, including a zombie.

    Raises:
        ExtraMissing: psutil is not installed.
    """
    return bool(_psutil().pid_exists(pid))


def _psutil() -> ModuleType:
    try:
        # Imported only to start or stop a server, and by name because it has no types.
        return importlib.import_module("psutil")
    except ModuleNotFoundError as error:
        raise ExtraMissing("embedded", "the embedded PostgreSQL") from error


def _is_same(text: str, directory: Path) -> bool:
    try:
        return text.startswith("/") and os.path.samefile(text, directory)
    except (OSError, ValueError):
        return False
