"""HTTP/1.1 with a deadline for the headers and a limit on the number of connections.

uvicorn limits neither: a client that sends one byte per second holds its connection forever
("slowloris"), and enough such clients leave no descriptor for a probe. Here a request must arrive
within a few seconds, and a new connection above the limit replaces the one idle for longest.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from array import array
from asyncio.events import TimerHandle

from larp_cli.health.http.uvicorn_api import HttpConnection

HEADER_SECONDS = 5.0
"""From the first byte of a request, or from the connection, to the end of its headers."""

LAST_SECONDS = 0.5
"""Seconds that a request may still take to arrive when the server closes."""

MOST_CONNECTIONS = 512
SPARE_DESCRIPTORS = 112
"""Descriptors reserved for the database, for files and for connections about to close."""

MOST_PIPELINED = 16
"""Most requests that a client may send before it gets the responses."""

LARGEST_HEAD = 131_072
"""Most bytes received before a request's headers end, including a body sent with them."""


class GuardedConnection(HttpConnection):
    """One connection with the deadline and the limits."""

    _idle: dict[GuardedConnection, None] = {}
    """Connections that wait for a request, the longest first. A process has one server."""
    _deadline: TimerHandle | None = None
    _head_bytes = 0
    _unread_deadline: TimerHandle | None = None
    most_connections = MOST_CONNECTIONS

    def on_open(self) -> None:
        """Wait for a request, and close another connection if there are too many."""
        self._await_request()
        if self.count_connections() > self.most_connections:
            self._make_room()

    def on_close(self) -> None:
        """Cancel every timer."""
        self._stop_waiting()
        self.on_unblocked()

    def may_read(self, size: int) -> bool:
        """Refuse more bytes than request headers may have."""
        if self._deadline is None:
            return True
        self._head_bytes += size
        return self._head_bytes <= LARGEST_HEAD

    def may_begin(self) -> bool:
        """Refuse a request too far ahead of the responses; start the timer of any other."""
        if self.count_queued() >= MOST_PIPELINED:
            return False
        if self._deadline is None:
            self._await_request()
        return True

    def on_head(self) -> None:
        """Cancel the timer of a request that has arrived."""
        self._stop_waiting()

    def on_answer(self) -> None:
        """Count the connection as idle again; uvicorn's own timer bounds how long."""
        if not self.is_closing() and not self.count_queued():
            self._idle[self] = None

    def on_blocked(self) -> None:
        """Start the timer of a client that does not read the response."""
        self._unread_deadline = self._abort_later()

    def on_unblocked(self) -> None:
        """Cancel the timer of a client that reads again."""
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    def on_server_close(self) -> None:
        """Close the connection, but first let a request that is being sent arrive.

        Closing a socket that has unread bytes resets the connection.
        """
        if self.is_answering() or self.has_asked() and not self._count_unread():
            self.finish()
        else:
            asyncio.get_running_loop().call_later(LAST_SECONDS, self.finish)

    def _count_unread(self) -> int:
        """Count the bytes that were received and not read yet."""
        length = array("i", [0])
        fcntl.ioctl(self.get_socket().fileno(), termios.FIONREAD, length)
        return length[0]

    def _await_request(self) -> None:
        self._idle.setdefault(self)
        self._head_bytes = 0
        self._deadline = self._abort_later()

    def _stop_waiting(self) -> None:
        self._idle.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _abort_later(self) -> TimerHandle:
        return asyncio.get_running_loop().call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.is_closing():
            self.abort()

    def _make_room(self) -> None:
        """Close the connection that waits longest; those without any request go first."""
        waiting = [connection for connection in self._idle if connection is not self]
        silent = (connection for connection in waiting if not connection.has_asked())
        victim = next(silent, waiting[0] if waiting else None)
        if victim is not None:
            self._idle.pop(victim)
            victim.abort()


def cap_connections(descriptors: int) -> None:
    """Lower the limit on connections if the process may open few descriptors."""
    GuardedConnection.most_connections = max(
        1, min(MOST_CONNECTIONS, descriptors - SPARE_DESCRIPTORS)
    )
