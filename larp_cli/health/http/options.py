"""The options of the serving process, and how they get there.

Its environment would do, but for the validation, which is pydantic's; and an argument list
is public. So the options go as JSON through a file without a name.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, fields
from typing import IO, Any

from larp_cli.health.target import HealthTarget
from larp_cli.migrations.graph import RevisionGraph
from larp_cli.postgres.url import resolve_url


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """All that the serving process needs to know."""

    url: str
    """Where it listens."""
    target: HealthTarget
    interval: float
    """Seconds between two looks at the database."""
    deadline: float
    """Seconds that a look may take."""
    drain_seconds: float
    """Seconds to go on serving after SIGTERM."""
    lifetime: float | None
    """Seconds after which to end as on SIGTERM; None for no limit."""
    sockets: tuple[int, ...]
    """Descriptors of the sockets that listen already."""
    socket_file: str | None
    """Unix socket to be removed at the end."""
    embedded_home: str | None
    """LARP_HOME where the embedded server is looked at; it may have to be stopped at the end."""
    embedded_lock: int | None
    """Descriptor that keeps the embedded server up."""
    project_name: str
    api_prefix: str
    cors_origins: tuple[str, ...]
    details_token: str | None
    log_level: str
    log_format: str
    secrets: tuple[str, ...]
    """What no log may show."""
    public_names: tuple[str, ...]
    """What logs show although it may equal a secret."""


def write_options(options: ServeOptions) -> int:
    """Write the options where a process that replaces this one reads them.

    Returns the descriptor of a file that has no name, for `read_options`.
    """
    with _nameless_file() as file:
        file.write(json.dumps(_plain(options)).encode())
        file.flush()
        file.seek(0)
        descriptor = os.dup(file.fileno())
    os.set_inheritable(descriptor, True)
    return descriptor


def read_options(descriptor: int) -> ServeOptions:
    """Read what `write_options` wrote."""
    with os.fdopen(descriptor, "rb") as file:
        given = json.loads(file.read())
    target = given["target"]
    target["url"] = resolve_url(target["url"])
    target["graph"] = RevisionGraph(
        **{kind: _tuples(parents) for kind, parents in target["graph"].items()}
    )
    return ServeOptions(**{**_tuples(given), "target": HealthTarget(**_tuples(target))})


def _plain(options: ServeOptions) -> dict[str, Any]:
    """Take the options apart; of the URL libpq's parameters are all that there is to know."""
    given = {item.name: getattr(options, item.name) for item in fields(options)}
    target = {item.name: getattr(options.target, item.name) for item in fields(options.target)}
    target["url"] = dict(options.target.url.parameters)
    graph = options.target.graph
    target["graph"] = {item.name: dict(getattr(graph, item.name)) for item in fields(graph)}
    return {**given, "target": target}


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    """Undo what JSON does to tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }


def _nameless_file() -> IO[bytes]:
    """Make a file in memory, or on disk without a name where the system has no such files."""
    make = getattr(os, "memfd_create", None)  # Linux
    return tempfile.TemporaryFile() if make is None else os.fdopen(make("larp-serve"), "w+b")
