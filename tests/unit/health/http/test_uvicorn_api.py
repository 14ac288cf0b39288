"""Contract with uvicorn: when a server and its connections call our hooks."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from larp_cli.health.http.uvicorn_api import HttpConnection, SocketServer

REQUEST = b"GET / HTTP/1.1\r\nhost: larp\r\n\r\n"
LARGE = b"x" * 10_000_000
"""More than the buffers of two sockets hold."""


class Noting(HttpConnection):
    """A connection that notes its hooks, and refuses what the test says."""

    notes: list[str] = []
    refuses_bytes = refuses_requests = False
    made: list[Noting] = []

    def on_open(self) -> None:
        """Note, and be found by the test."""
        self.notes.append("open")
        self.made.append(self)

    def on_close(self) -> None:
        """Note."""
        self.notes.append("close")

    def may_read(self, size: int) -> bool:
        """Note, and allow it if the test does."""
        self.notes.append(f"read {size}")
        return not self.refuses_bytes

    def may_begin(self) -> bool:
        """Note, and allow it if the test does."""
        self.notes.append("begin")
        return not self.refuses_requests

    def on_head(self) -> None:
        """Note."""
        self.notes.append("head")

    def on_answer(self) -> None:
        """Note, with what is answered now."""
        self.notes.append("answer")

    def on_blocked(self) -> None:
        """Note."""
        self.notes.append("blocked")

    def on_unblocked(self) -> None:
        """Note."""
        self.notes.append("unblocked")

    def on_server_close(self) -> None:
        """Leave a request on its way a moment."""
        self.notes.append("server close")
        asyncio.get_running_loop().call_later(0.3, self.finish)


class Application:
    """Answers every request with a body, once it may."""

    def __init__(self, body: bytes = b"well") -> None:
        self.body = body
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.life: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the lifespan or a request."""
        if scope["type"] == "lifespan":
            for word in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{word}"
                self.life.append(word)
                await send({"type": f"lifespan.{word}.complete"})
            return
        await self.may_answer.wait()
        length = [(b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": self.body})


class Served:
    """A server that runs, and what a test does with it."""

    def __init__(self, app: Application, connection: type[Noting]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=connection, ws="none", lifespan="on", log_config=None, backlog=16
        )
        self.app = app
        self.notes = connection.notes
        self.connections = connection.made
        self.server = SocketServer(config, connection, backlog=128)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection(*self.listener.getsockname())

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something to happen."""
        async with asyncio.timeout(10):
            while not done():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(app: Application, **refusals: bool) -> AsyncIterator[Served]:
    """Run a server in this event loop, and close it at the end."""
    connection = type("Connection", (Noting,), {"notes": [], "made": [], **refusals})
    served = Served(app, connection)
    running = asyncio.create_task(served.server.serve(sockets=[served.listener]))
    try:
        await served.until(lambda: app.life == ["startup"])
        yield served
    finally:
        app.may_answer.set()
        served.server.close()
        await asyncio.wait_for(running, 10)


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer; returns its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    length = next(line for line in head.splitlines() if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.partition(b":")[2]))


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_a_kept_connection_calls_its_hooks_for_each_request() -> None:
    """Opened, then for each request: bytes, begin, head, answer; closed at the end."""

    async def scenario() -> None:
        async with serving(Application()) as served:
            reader, writer = await served.connect()
            for _ in range(2):
                writer.write(REQUEST)
                assert await answer(reader) == b"well"
            writer.close()
            await served.until(lambda: "close" in served.notes)

            one = [f"read {len(REQUEST)}", "begin", "head", "answer"]
            assert [note for note in served.notes if note != "unblocked"] == [
                "open",
                *one,
                *one,
                "close",
            ]

    run(scenario)


def test_a_connection_knows_what_is_queued_and_answered() -> None:
    """Requests that come before the first is answered are counted."""

    async def scenario() -> None:
        app = Application()
        async with serving(app) as served:
            reader, writer = await served.connect()
            await served.until(lambda: bool(served.connections))
            (connection,) = served.connections
            assert (connection.has_asked(), connection.is_answering()) == (False, False)
            assert connection.count_connections() == 1

            app.may_answer.clear()
            writer.write(REQUEST * 3)
            await served.until(lambda: connection.count_queued() == 2)
            assert (connection.has_asked(), connection.is_answering()) == (True, True)

            app.may_answer.set()
            for _ in range(3):
                await answer(reader)
            await served.until(lambda: served.notes.count("answer") == 3)
            assert (connection.count_queued(), connection.is_answering()) == (0, False)
            assert (connection.has_asked(), connection.is_closing()) == (True, False)
            assert connection.get_socket().getpeername() == writer.get_extra_info("sockname")
            writer.close()

    run(scenario)


def test_a_request_that_may_not_begin_closes_the_connection() -> None:
    """The client gets 400, and the application nothing."""

    async def scenario() -> None:
        async with serving(Application(), refuses_requests=True) as served:
            reader, writer = await served.connect()
            writer.write(REQUEST)

            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            assert "head" not in served.notes
            writer.close()

    run(scenario)


def test_bytes_that_may_not_be_read_close_the_connection() -> None:
    """Nothing of them is parsed."""

    async def scenario() -> None:
        async with serving(Application(), refuses_bytes=True) as served:
            reader, writer = await served.connect()
            writer.write(REQUEST)

            assert await reader.read() == b""
            assert "begin" not in served.notes
            writer.close()

    run(scenario)


def test_a_client_that_does_not_read_is_noted() -> None:
    """When the buffers are full, and again when it reads."""

    async def scenario() -> None:
        async with serving(Application(LARGE)) as served:
            reader, writer = await served.connect()
            writer.write(REQUEST)
            await served.until(lambda: "blocked" in served.notes)

            assert await answer(reader) == LARGE
            await served.until(lambda: "unblocked" in served.notes)
            writer.close()

    run(scenario)


def test_an_aborted_connection_is_gone_at_once() -> None:
    """Whatever it was about to say."""

    async def scenario() -> None:
        app = Application()
        async with serving(app) as served:
            app.may_answer.clear()
            reader, writer = await served.connect()
            writer.write(REQUEST)
            await served.until(lambda: "head" in served.notes)

            served.connections[0].abort()

            assert await reader.read() == b""
            await served.until(lambda: "close" in served.notes)
            writer.close()

    run(scenario)


def test_the_server_leaves_signals_alone() -> None:
    """Only `on_loop` may set handlers; it is called within the event loop."""
    called: list[bool] = []

    class Server(SocketServer):
        def on_loop(self) -> None:
            called.append(asyncio.get_running_loop().is_running())

    async def scenario() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        async with serving(Application()) as served:
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == (
                before
            )
            with socket.create_server(("127.0.0.1", 0)) as listener:
                server = Server(served.server.config, Noting, backlog=1)
                server.close()
                await server.serve(sockets=[listener])

        assert called == [True]

    run(scenario)


def test_connections_that_wait_are_served_before_the_server_ends() -> None:
    """Closing the port would reset them."""

    async def scenario() -> None:
        async with serving(Application()) as served:
            with socket.create_connection(served.listener.getsockname()) as waiting:
                waiting.sendall(REQUEST)  # nothing is awaited here, so it is not accepted yet
                await served.server.shutdown([served.listener])
                waiting.setblocking(False)
                said = await asyncio.get_running_loop().sock_recv(waiting, 1000)

            assert said.startswith(b"HTTP/1.1 200 ")
            assert "server close" in served.notes

    run(scenario)


def test_a_server_that_ends_at_once_still_ends_the_application() -> None:
    """Though a request is never answered."""

    async def scenario() -> None:
        app = Application()
        async with serving(app) as served:
            app.may_answer.clear()
            _, writer = await served.connect()
            writer.write(REQUEST)
            await served.until(lambda: "head" in served.notes)

            served.server.close_at_once()

            await served.until(lambda: app.life == ["startup", "shutdown"])
            assert not app.may_answer.is_set()
            writer.close()

    run(scenario)
