"""A proxy in front of a test server that records every connection and every statement."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedIOBase
from urllib.parse import urlsplit, urlunsplit

from tests.servers import Server

CANCEL, TLS, GSS = 80877102, 80877103, 80877104
"""Codes that stand where a startup message has the version of the protocol."""


@dataclass
class RecordedConnection:
    """One connection: who made it, and what ran on it."""

    database: str
    application: str
    statements: list[str] = field(default_factory=list)


@dataclass
class Wire:
    """What passed through the proxy since `clear`."""

    port: int = 0
    connections: list[RecordedConnection] = field(default_factory=list)

    def url(self, direct: str) -> str:
        """Return the way to the database of a direct URL through this proxy."""
        parts = urlsplit(direct)
        credentials = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}"))

    @property
    def statements(self) -> list[str]:
        """Every statement, connection by connection."""
        return [statement for each in self.connections for statement in each.statements]

    def of(self, application: str) -> list[RecordedConnection]:
        """Return the connections that began under an application's name."""
        return [each for each in self.connections if each.application == application]

    def clear(self) -> None:
        """Forget what passed so far."""
        self.connections.clear()


@contextmanager
def recorded(server: Server) -> Iterator[Wire]:
    """Forward to a server, and record PostgreSQL's protocol on the way.

    Source: PostgreSQL manual, "Frontend/Backend Protocol: Message Formats".
    """
    wire = Wire()

    def record(client: socket.socket, upstream: socket.socket) -> None:
        answers = threading.Thread(target=_copy, args=(upstream, client))
        answers.start()
        with suppress(OSError, EOFError), client.makefile("rb") as requests:
            _forward(requests, upstream, wire)
        _shut(upstream)
        answers.join()

    with proxied(server, record) as wire.port:
        yield wire


@contextmanager
def proxied(
    server: Server, forward: Callable[[socket.socket, socket.socket], None]
) -> Iterator[int]:
    """Listen on a port, and let ``forward`` connect each client with the server."""

    class Forwarding(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((server.host, server.port)) as upstream:
                forward(self.request, upstream)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forwarding) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield proxy.server_address[1]
        finally:
            proxy.shutdown()
            thread.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _shut(sink)


def _forward(requests: BufferedIOBase, upstream: socket.socket, wire: Wire) -> None:
    connection: RecordedConnection | None = None
    while connection is None:
        head = _read(requests, 4)
        body = _read(requests, int.from_bytes(head) - 4)
        if int.from_bytes(body[:4]) not in (CANCEL, TLS, GSS):
            connection = _connection_of(body[4:])
            wire.connections.append(connection)
        upstream.sendall(head + body)
    while True:
        head = _read(requests, 5)
        body = _read(requests, int.from_bytes(head[1:]) - 4)
        if head[:1] == b"Q":  # Query: the statement
            connection.statements.append(body.split(b"\0")[0].decode())
        elif head[:1] == b"P":  # Parse: the name of a prepared statement, the statement
            connection.statements.append(body.split(b"\0")[1].decode())
        upstream.sendall(head + body)


def _connection_of(parameters: bytes) -> RecordedConnection:
    words = [word.decode() for word in parameters.split(b"\0")]
    given = dict(zip(words[::2], words[1::2], strict=False))
    return RecordedConnection(given["database"], given.get("application_name", ""))


def _read(requests: BufferedIOBase, count: int) -> bytes:
    data = requests.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _shut(peer: socket.socket) -> None:
    with suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
