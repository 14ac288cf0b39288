"""What is looked at in the tests of health, and servers that do not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from larp_cli.health.target import HealthTarget
from larp_cli.migrations.project import open_project
from larp_cli.postgres.url import normalise_url
from tests.databases import SCHEMA


def own_target(url: str) -> HealthTarget:
    """Look at a database of ours."""
    return HealthTarget(
        url=normalise_url(url),
        schema=SCHEMA,
        version_table="alembic_version",
        graph=open_project(None, SCHEMA).graph,
        ledger_schemas=(SCHEMA,),
        extensions=("uuid-ossp", "pgcrypto"),
    )


class Gate:
    """A way to a server that can be closed: what then comes in is kept, and never answered.

    To a client it is a server that was stopped, or a firewall that drops packets.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._open = threading.Event()
        self._open.set()
        self._ending = threading.Event()
        self._lines: list[socket.socket] = []
        self.accepted = 0
        """Connections that were made."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where to connect on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Let nothing through, in either direction."""
        self._open.clear()

    def open(self) -> None:
        """Let everything through again, late as it is."""
        self._open.set()

    def end(self) -> None:
        """Cut every line."""
        self._ending.set()
        self._open.set()
        self._listener.close()
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.accepted += 1
            near.settimeout(None)
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._open.wait()
        far = socket.create_connection(self._target)
        self._lines += [near, far]
        threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
        self._pump(near, far)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for line in (source, sink):
                line.close()


@contextmanager
def gate_to(url: str) -> Iterator[tuple[Gate, str]]:
    """Put a gate before the server of a URL; yields it, and the URL through it."""
    target = normalise_url(url)
    host = target.hosts[0]
    gate = Gate(host.name, int(host.port))
    try:
        yield gate, url.replace(f":{host.port}/", f":{gate.port}/")
    finally:
        gate.end()
