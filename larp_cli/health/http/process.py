"""The serving process. It serves on open sockets until a signal ends it.

``larp serve`` validates the options and then replaces itself by this smaller process. The pid
stays the same, so it also works as PID 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys

import uvicorn

from larp_cli.health.http.app import create_app
from larp_cli.health.http.connection import GuardedConnection, cap_connections
from larp_cli.health.http.launch import ENDING
from larp_cli.health.http.listen import BACKLOG
from larp_cli.health.http.options import ServeOptions, read_options
from larp_cli.health.http.uvicorn_api import SocketServer
from larp_cli.health.monitor import Monitor
from larp_cli.logs import log_to_stderr
from larp_cli.redaction import Redactor
from larp_cli.system.streams import flush_standard_streams

log = logging.getLogger("larp.serve")

KEEP_ALIVE_SECONDS = 15
"""Seconds that a connection may wait for its next request; longer than a probe interval."""
CLOSE_SECONDS = 5
"""Seconds that running requests have to finish after draining."""
DESCRIPTORS = 4096
ACCEPTED_AT_ONCE = 16
"""Connections accepted before surplus ones are closed; each needs a spare descriptor."""


class DrainingServer(SocketServer):
    """A server that keeps serving for a while after a signal before it closes."""

    def __init__(self, config: uvicorn.Config, monitor: Monitor, options: ServeOptions) -> None:
        super().__init__(config, GuardedConnection, backlog=BACKLOG)
        self._monitor = monitor
        self._options = options

    def on_loop(self) -> None:
        """Handle signals in the event loop; signals that arrived earlier are still pending."""
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self.end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if self._options.lifetime is not None:
            loop.call_later(self._options.lifetime, self._end_at_lifetime)

    def end(self) -> None:
        """Drain, then close; at the second call close at once."""
        if self._monitor.draining:
            log.info("ending at once")
            self.close_at_once()
            return
        self._monitor.drain()
        seconds = self._options.drain_seconds
        log.info("draining for %g s", seconds)
        asyncio.get_running_loop().call_later(seconds, self.close)

    def _end_at_lifetime(self) -> None:
        if not self._monitor.draining:
            self.end()


def run_serving_process() -> int:
    """Serve with the options from the descriptor in the argument list."""
    options = read_options(int(sys.argv[1]))
    log_to_stderr(
        level=options.log_level,
        as_json=options.log_format == "json",
        redact=Redactor(options.secrets, options.public_names).redact,
    )
    _raise_descriptor_limit()
    try:
        serve(options)
    finally:
        _clear_up(options)
        flush_standard_streams()
    return 0


def serve(options: ServeOptions) -> None:
    """Serve until a signal or the lifetime ends it."""
    monitor = Monitor(options.target, interval=options.interval, deadline=options.deadline)
    config = uvicorn.Config(
        create_app(monitor, options),
        http=GuardedConnection,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
    sockets = [socket.socket(fileno=descriptor) for descriptor in options.sockets]
    DrainingServer(config, monitor, options).run(sockets=sockets)


def _raise_descriptor_limit() -> None:
    """Raise the limit, so that there are descriptors for surplus connections and the database."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    cap_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _clear_up(options: ServeOptions) -> None:
    if options.socket_file is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(options.socket_file)
    if options.embedded_home is not None and options.embedded_lock is not None:
        from pathlib import Path

        from larp_cli.observer import Silent
        from larp_cli.postgres.embedded import EmbeddedServer

        os.close(options.embedded_lock)
        EmbeddedServer(Path(options.embedded_home), Silent()).leave()


if __name__ == "__main__":
    sys.exit(run_serving_process())
