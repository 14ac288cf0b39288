"""What larp uses of uvicorn beyond its documentation: the life of a server and of a connection.

uvicorn documents neither the methods of `uvicorn.Server` nor its protocol classes. `SocketServer`
and `HttpConnection` give their moments names of our own, so that no other module depends on
uvicorn's. The contract is tested in ``tests/unit/health/http/test_uvicorn_api.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpConnection(HttpToolsProtocol):
    """One HTTP/1.1 connection; a subclass fills in the hooks that it needs."""

    def on_open(self) -> None:
        """Start to watch the connection."""

    def on_close(self) -> None:
        """Stop watching the connection."""

    def may_read(self, size: int) -> bool:
        """Allow that so many bytes are parsed; if not, the connection is closed."""
        return True

    def may_begin(self) -> bool:
        """Allow a request whose first bytes came; if not, the connection is closed."""
        return True

    def on_head(self) -> None:
        """Note that the headers of a request are complete: it is answered next."""

    def on_answer(self) -> None:
        """Note that an answer was sent."""

    def on_blocked(self) -> None:
        """Note that the client does not read what is sent to it."""

    def on_unblocked(self) -> None:
        """Note that the client reads again."""

    def on_server_close(self) -> None:
        """Close the connection at the end of the server: at once, or after its answer."""
        self.finish()

    # --- what a hook may ask and do ---

    def count_connections(self) -> int:
        """Count the open connections of the server, this one included."""
        return len(self.connections)

    def count_queued(self) -> int:
        """Count the requests that came before the answer to an earlier one was sent."""
        return len(self.pipeline)

    def has_asked(self) -> bool:
        """Tell whether a request has come on this connection."""
        return self.cycle is not None

    def is_answering(self) -> bool:
        """Tell whether a request waits for the end of its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def is_closing(self) -> bool:
        """Tell whether the connection is being closed."""
        return self.transport.is_closing()

    def get_socket(self) -> socket.socket:
        """Return the socket."""
        connected: socket.socket = self.transport.get_extra_info("socket")
        return connected

    def finish(self) -> None:
        """Close the connection: at once, or after the answer that is under way."""
        super().shutdown()

    def abort(self) -> None:
        """Close the connection at once, and drop what was not sent yet."""
        self.transport.abort()

    # --- what uvicorn, httptools and asyncio call ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self.on_open()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self.on_close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self.may_read(len(data)):
            super().data_received(data)
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self.may_begin():
            raise ValueError("refused")  # the parser gives up, and uvicorn closes the connection
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Serve a request."""
        self.on_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """End a request."""
        super().on_response_complete()
        self.on_answer()

    def pause_writing(self) -> None:
        """Hold back the answer."""
        super().pause_writing()
        self.on_blocked()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self.on_unblocked()
        super().resume_writing()

    def shutdown(self) -> None:
        """Close the connection at the end of the server."""
        self.on_server_close()


class SocketServer(uvicorn.Server):
    """uvicorn's server on sockets that listen already; a subclass handles the signals."""

    def __init__(
        self, config: uvicorn.Config, connection: type[HttpConnection], *, backlog: int
    ) -> None:
        super().__init__(config)
        self._connection = connection
        self._backlog = backlog

    def on_loop(self) -> None:
        """Prepare what needs the event loop, such as signal handlers: uvicorn sets none."""

    def close(self) -> None:
        """Stop accepting connections, answer the requests that are under way, and end."""
        self.should_exit = True

    def close_at_once(self) -> None:
        """End without waiting for a connection: uvicorn alone would wait for each to close."""
        self.force_exit = self.should_exit = True
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, HttpConnection):
                connection.abort()

    # --- what uvicorn calls ---

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `on_loop`."""
        self.on_loop()
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what asyncio calls backlog is also how many it accepts at once."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(self._backlog)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept the connections that wait, then close.

        Closing a socket that listens resets every connection that waits to be accepted.
        """
        waiting = _accept_waiting(sockets or [])
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for line in waiting:
            await loop.connect_accepted_socket(self._make_connection, line)
        await super().shutdown(sockets)
        if self.force_exit:  # then uvicorn does not tell the application
            await self.lifespan.shutdown()

    def _make_connection(self) -> HttpConnection:
        return self._connection(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _accept_waiting(sockets: list[socket.socket]) -> list[socket.socket]:
    accepted: list[socket.socket] = []
    for listener in sockets:
        with contextlib.suppress(OSError):  # nobody waits any more, or no descriptor is left
            while True:
                accepted.append(listener.accept()[0])
                accepted[-1].setblocking(False)
    return accepted
