"""Open the listening sockets. This happens first, so that early clients wait and do not fail."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import ExitStack
from typing import Any

from larp_cli.errors import ConfigurationError

BACKLOG = 1024
SOCKET_MODE = 0o660
ATTEMPTS = 10


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host; port 0 takes a free port, the same on every address.

    Raises:
        ConfigurationError: The host is unknown, or the port is taken or needs privileges.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except socket.gaierror as error:
        raise ConfigurationError(
            f"cannot listen on {host}: {error.strerror}",
            hint="larp serve --host 127.0.0.1, or --host 0.0.0.0 for every address",
        ) from error
    places = list(dict.fromkeys((item[0], item[4]) for item in found))
    for attempt in range(ATTEMPTS if port == 0 else 1):
        try:
            return _listen_on(places, host, port)
        except ConfigurationError as error:
            # The free port of the first address may be taken on the second.
            if not _is_taken(error) or attempt == ATTEMPTS - 1 or port != 0:
                raise
    raise AssertionError("unreachable")


def _listen_on(places: list[tuple[Any, Any]], host: str, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    absent: ConfigurationError | None = None
    with ExitStack() as opened:
        for family, address in places:
            chosen = sockets[0].getsockname()[1] if sockets else port
            place = (address[0], chosen, *address[2:])
            try:
                sockets.append(opened.enter_context(_open_socket(family, place, host, chosen)))
            except ConfigurationError as error:
                if not _is_absent(error):
                    raise
                absent = error  # such as ::1 on a machine without IPv6
        if absent is not None and not sockets:
            raise absent
        opened.pop_all()
    return sockets


def _is_taken(error: ConfigurationError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE


def _is_absent(error: ConfigurationError) -> bool:
    absent = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in absent


def listen_on_file(path: str) -> socket.socket:
    """Listen on a Unix socket. A socket file that a dead server left behind is replaced.

    Raises:
        ConfigurationError: Another server uses the socket, or it cannot be created.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(path)
        os.chmod(path, SOCKET_MODE)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {path}: {_describe_error(error)}",
            hint="larp serve --socket PATH, with a path that is free and writable",
        ) from error
    return listener


def _open_socket(family: int, place: tuple[object, ...], host: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` then includes IPv4, unless another address of ours covers it.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, place[0] != "::")
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {_describe_error(error)}", hint=_suggest(error)
        ) from error
    return listener


def _describe_error(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _suggest(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "larp serve --port 0 picks a free port; to find the program: ss -ltnp"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 need privileges: larp serve --port 8000"
    return "larp serve --host 127.0.0.1, or --host 0.0.0.0 for every address"


def _remove_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "a file that is not a socket exists there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
