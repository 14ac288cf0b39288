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

from larp_cli.health.http.uvicorn_api import HttpConnection

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


class GuardedConnection(HttpConnection):
    """One connection."""

    _idle: dict[GuardedConnection, None] = {}
    """Connections that wait for a request, the longest first; one server to a process."""
    _deadline: TimerHandle | None = None
    _head_bytes = 0
    _unread_deadline: TimerHandle | None = None
    most_connections = MOST_CONNECTIONS

    def on_open(self) -> None:
        """Wait for a request, and close another connection where there are too many."""
        self._await_request()
        if self.count_connections() > self.most_connections:
            self._make_room()

    def on_close(self) -> None:
        """Stop every clock."""
        self._stop_waiting()
        self.on_unblocked()

    def may_read(self, size: int) -> bool:
        """Refuse what is too much for a head."""
        if self._deadline is None:
            return True
        self._head_bytes += size
        return self._head_bytes <= LARGEST_HEAD

    def may_begin(self) -> bool:
        """Refuse a request that is too far ahead of the answers; give any other its time."""
        if self.count_queued() >= MOST_PIPELINED:
            return False
        if self._deadline is None:
            self._await_request()
        return True

    def on_head(self) -> None:
        """Stop the clock of a request that has arrived."""
        self._stop_waiting()

    def on_answer(self) -> None:
        """Count the connection as idle again; uvicorn's own timer bounds how long."""
        if not self.is_closing() and not self.count_queued():
            self._idle[self] = None

    def on_blocked(self) -> None:
        """Give a client that does not read some time to go on."""
        self._unread_deadline = self._abort_later()

    def on_unblocked(self) -> None:
        """Let a client that reads take its time."""
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    def on_server_close(self) -> None:
        """Close the connection, but not under a request that is on its way.

        Closing a socket with bytes in it that nobody has read resets the connection.
        """
        if self.is_answering() or self.has_asked() and not self._count_unread():
            self.finish()
        else:
            asyncio.get_running_loop().call_later(LAST_SECONDS, self.finish)

    def _count_unread(self) -> int:
        """Count the bytes that have come and were not read yet."""
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
        """Close the connection that waits for longest, first of those that never asked."""
        waiting = [connection for connection in self._idle if connection is not self]
        silent = (connection for connection in waiting if not connection.has_asked())
        victim = next(silent, waiting[0] if waiting else None)
        if victim is not None:
            self._idle.pop(victim)
            victim.abort()


def cap_connections(descriptors: int) -> None:
    """Keep fewer connections where the process is granted few descriptors."""
    GuardedConnection.most_connections = max(
        1, min(MOST_CONNECTIONS, descriptors - SPARE_DESCRIPTORS)
    )
