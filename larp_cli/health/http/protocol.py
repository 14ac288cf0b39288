"""HTTP/1.1 with a deadline for the headers and a cap on the connections.

uvicorn bounds neither: a client that sends a byte a second holds its connection for ever
("slowloris"), and enough of them leave no descriptor for a probe. Here a request has some
seconds to arrive, and when there are too many connections the one that has done nothing for
longest makes room for the newest, which is as likely as any to be a probe.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from array import array
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 5.0
"""From the first byte of a request, or from the connection, to the end of its headers."""

LAST_SECONDS = 0.5
"""That a request may still take to arrive when the server closes."""

MOST_CONNECTIONS = 512
SPARE_DESCRIPTORS = 112
"""For the database, for files, and for connections that are about to be closed."""

MOST_PIPELINED = 16
"""Requests that a client may send ahead of the answers."""

LARGEST_HEAD = 131_072
"""Bytes that may come before a request's headers end, a body that comes along included."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    _idle: dict[GuardedProtocol, None] = {}
    """Connections that wait for a request, the longest first; one server to a process."""
    _deadline: TimerHandle | None = None
    _head_bytes = 0
    _unread_deadline: TimerHandle | None = None
    most_connections = MOST_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and close another where there are too many."""
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > self.most_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._served()
        self._read_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is too much for a head."""
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Give a request on a kept connection its time, too; too many ahead are none.

        Raises:
            ValueError: The parser then gives up, and the connection is closed.
        """
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests ahead of the answers")
        super().on_message_begin()
        if self._deadline is None:
            self._await_request()

    def on_headers_complete(self) -> None:
        """Serve the request: its time has stopped."""
        self._served()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Count the connection as idle again; uvicorn's own timer bounds how long."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self.pipeline:
            self._idle[self] = None

    def pause_writing(self) -> None:
        """Give a client that does not read some time to go on."""
        super().pause_writing()
        self._unread_deadline = self.loop.call_later(HEADER_SECONDS, self._too_late)

    def resume_writing(self) -> None:
        """Go on with a client that reads."""
        self._read_on()
        super().resume_writing()

    def _read_on(self) -> None:
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    def shutdown(self) -> None:
        """End the connection, but not under a request that is on its way.

        Closing a socket with bytes in it that nobody has read resets the connection.
        """
        if self.cycle is not None and (not self.cycle.response_complete or not self._unread()):
            super().shutdown()
        else:
            self.loop.call_later(LAST_SECONDS, super().shutdown)

    def _unread(self) -> int:
        """Count the bytes that have come and were not read yet."""
        length = array("i", [0])
        fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.FIONREAD, length)
        return length[0]

    def _await_request(self) -> None:
        self._idle.setdefault(self)
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._too_late)

    def _served(self) -> None:
        self._idle.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _make_room(self) -> None:
        """Close the connection that waits for longest, first of those that never asked."""
        waiting = [connection for connection in self._idle if connection is not self]
        silent = (connection for connection in waiting if connection.cycle is None)
        victim = next(silent, waiting[0] if waiting else None)
        if victim is not None:
            self._idle.pop(victim)
            victim.transport.abort()


def cap_connections(descriptors: int) -> None:
    """Keep fewer connections where the process is granted few descriptors."""
    GuardedProtocol.most_connections = max(
        1, min(MOST_CONNECTIONS, descriptors - SPARE_DESCRIPTORS)
    )
