"""What PostgreSQL itself says about a running server: postmaster.pid, its socket, its process."""

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
    """Process id; 0 when the file makes no sense."""
    port: int = 0
    socket_directory: str = ""
    listen_address: str = ""
    status: str = "starting"

    def url(self, database: str = "postgres") -> str:
        """Return a libpq URL of ``database`` for the superuser.

        The port is always there, because libpq would otherwise take it from PGPORT.
        """
        name = quote(database, safe="")
        if self.socket_directory:
            host = quote(self.socket_directory, safe="")
            return f"postgresql://{SUPERUSER}@/{name}?host={host}&port={self.port}"
        address = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{SUPERUSER}@{address}:{self.port}/{name}"

    @property
    def host(self) -> str:
        """Address at which a server without a socket is reached."""
        return {"*": "localhost", "0.0.0.0": "127.0.0.1"}.get(
            self.listen_address, self.listen_address
        )

    @property
    def socket_path(self) -> Path:
        """Path of the Unix socket."""
        return Path(self.socket_directory, f".s.PGSQL.{self.port}")

    def answers(self) -> bool:
        """Tell whether the server takes connections now: a dead one's files still say ready."""
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
    """Return what postmaster.pid in ``data_directory`` says; None without one."""
    try:
        text = (data_directory / "postmaster.pid").read_text(errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines = [line.strip("\n") for line in text.split("\n")]
    try:
        # A server that runs for one user only, without a socket, writes its pid negated.
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
    """Tell whether ``pid`` is the live server of ``data_directory``.

    The pid in a file may long be another program's. The command line tells: unlike the
    working directory, it can be read without CAP_SYS_PTRACE, which containers drop.

    Raises:
        ExtraMissing: psutil is not installed.
    """
    psutil = _psutil()
    try:
        arguments = psutil.Process(pid).cmdline() if pid > 0 else []
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # A zombie counts as gone. What we may not look at is another user's.
        return False
    if not arguments or not Path(arguments[0]).name.startswith(("postgres", "postmaster")):
        return False
    return any(_is_same(text, data_directory) for text in arguments[1:])


def is_alive(pid: int) -> bool:
    """Tell whether ``pid`` is a process that still runs: not gone, and no zombie.

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
    """Tell whether ``pid`` names any process, be it a zombie that its parent left behind.

    Raises:
        ExtraMissing: psutil is not installed.
    """
    return bool(_psutil().pid_exists(pid))


def _psutil() -> ModuleType:
    try:
        # Only starting and stopping pay for it. Found by name, as it has no types.
        return importlib.import_module("psutil")
    except ModuleNotFoundError as error:
        raise ExtraMissing("embedded", "the embedded PostgreSQL") from error


def _is_same(text: str, directory: Path) -> bool:
    try:
        return text.startswith("/") and os.path.samefile(text, directory)
    except (OSError, ValueError):
        return False
