"""Collect the options of the serving process from settings and command line."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.errors import ExtraMissing
from larp_cli.results import Serving

if TYPE_CHECKING:
    import socket

    from larp_cli.cli.context import Context
    from larp_cli.cli.options import ListenOptions
    from larp_cli.health.http.options import ServeOptions
    from larp_cli.settings import Settings


def open_server(larp: Context, listen_on: ListenOptions) -> ServeOptions:
    """Check all that can be checked, and listen.

    Raises:
        ExtraMissing: The extra ``serve`` is not installed.
        ConfigurationError: A setting is wrong, or the address cannot be listened on.
    """
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "httptools")):
        raise ExtraMissing("serve", "the health server")
    from larp_cli.health.http.options import ServeOptions

    settings = larp.settings
    target = larp.health_target
    sockets, url, path = _listen(settings, listen_on)
    token = settings.health_details_token
    embedded = larp.databases.application.embedded
    return ServeOptions(
        url=url,
        target=target,
        interval=settings.health_interval,
        deadline=settings.health_deadline,
        drain_seconds=settings.serve_drain_seconds,
        lifetime=larp.options.timeout,
        sockets=tuple(item.detach() for item in sockets),
        socket_file=path,
        embedded_home=str(settings.larp_home) if embedded else None,
        embedded_lock=larp.embedded.share_with_successor() if embedded else None,
        project_name=settings.project_name,
        api_prefix=settings.api_v1_prefix,
        cors_origins=settings.cors_origins,
        details_token=token.get_secret_value() if token is not None else None,
        log_level=_level(larp),
        log_format=settings.log_format.value,
        secrets=larp.redactor.secrets,
        public_names=larp.redactor.public_names,
    )


def _listen(
    settings: Settings, listen_on: ListenOptions
) -> tuple[list[socket.socket], str, str | None]:
    """Open the sockets; returns them with the URL, and with the path of a Unix socket."""
    from larp_cli.health.http.listen import listen, listen_on_file

    if listen_on.socket is not None:
        path = str(Path(listen_on.socket).absolute())
        return [listen_on_file(path)], f"unix:{path}", path
    host = listen_on.host if listen_on.host is not None else settings.serve_host
    sockets = listen(host, settings.serve_port if listen_on.port is None else listen_on.port)
    return sockets, _url(host, sockets[0].getsockname()[1]), None


def announced(options: ServeOptions) -> Serving:
    """Say where the server listens, in a process that keeps its pid."""
    return Serving(url=options.url, pid=os.getpid())


def _url(host: str, port: int) -> str:
    """Write where a browser on this machine finds it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _level(larp: Context) -> str:
    """A server logs at LOG_LEVEL, unless it is asked for less or more."""
    if larp.options.debug:
        return "DEBUG"
    return "WARNING" if larp.options.quiet else larp.settings.log_level.value
