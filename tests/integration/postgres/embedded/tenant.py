"""A larp of its own: leases the embedded server, says so, and leaves when it is told.

Usage: tenant.py HOME lease|start|stop [UID GID]. With an account it first gives root's
rights away, after everything is imported: the interpreter itself may lie below /root.
"""

from __future__ import annotations

import importlib
import os
import shutil  # noqa: F401
import signal
import sys
from pathlib import Path
from types import FrameType

import psycopg

from larp_cli.errors import LarpError
from larp_cli.observer import Silent
from larp_cli.postgres.embedded import EmbeddedServer


class Loud(Silent):
    """An observer whose notes go to stdout."""

    def note(self, text: str) -> None:
        """Print the note."""
        print("note", text, flush=True)

    def warning(self, text: str) -> None:
        """Print the warning."""
        print("warning", text, flush=True)


def terminate(number: int, frame: FrameType | None) -> None:
    """End as larp does at SIGTERM: by an exception."""
    raise SystemExit(143)


def act(server: EmbeddedServer, action: str) -> None:
    """Do what the command line asks for."""
    if action != "lease":
        print(server.start() if action == "start" else server.stop(), flush=True)
        return
    with server.lease() as lease:
        with psycopg.connect(lease.url("postgres")) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row == (str(server.status().data_directory),)
        print("leased", lease.pid, flush=True)
        sys.stdin.readline()


for module in ("psutil", "importlib.util", "importlib.metadata"):
    importlib.import_module(module)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)
    if len(sys.argv) > 3:
        os.setgroups([])
        os.setgid(int(sys.argv[4]))
        os.setuid(int(sys.argv[3]))
    try:
        act(EmbeddedServer(Path(sys.argv[1]), Loud(), timeout=60), sys.argv[2])
    except LarpError as error:
        print("error", type(error).__name__, error.message, "hint:", error.hint, flush=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
