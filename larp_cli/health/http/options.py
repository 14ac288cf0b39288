"""The options of the serving process, and how they are passed to it.

Reading the environment again would need pydantic, and other users can read an argument list. So
the options are passed as JSON in an unnamed file.
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
    """The options of the serving process."""

    url: str
    """URL of the server."""
    target: HealthTarget
    interval: float
    """Seconds between two runs of the checks."""
    deadline: float
    """Seconds that a run of the checks may take."""
    drain_seconds: float
    """Seconds to go on serving after SIGTERM."""
    lifetime: float | None
    """Seconds after which the server ends as if on SIGTERM; None for no limit."""
    sockets: tuple[int, ...]
    """Descriptors of the listening sockets."""
    socket_file: str | None
    """Path of the Unix socket to remove at the end."""
    embedded_home: str | None
    """LARP_HOME if the embedded server is used; it may have to be stopped at the end."""
    embedded_lock: int | None
    """Descriptor of the lock that keeps the embedded server running."""
    project_name: str
    api_prefix: str
    cors_origins: tuple[str, ...]
    details_token: str | None
    log_level: str
    log_format: str
    secrets: tuple[str, ...]
    """Values that must not appear in a log."""
    public_names: tuple[str, ...]
    """Values that may appear in a log even if they equal a secret."""


def write_options(options: ServeOptions) -> int:
    """Write the options to an unnamed file for the process that replaces this one.

    Returns the file's descriptor, for `read_options`.
    """
    with _open_unnamed_file() as file:
        file.write(json.dumps(_to_json(options)).encode())
        file.flush()
        file.seek(0)
        descriptor = os.dup(file.fileno())
    os.set_inheritable(descriptor, True)
    return descriptor


def read_options(descriptor: int) -> ServeOptions:
    """Read what `write_options` wrote."""
    with os.fdopen(descriptor, "rb") as file:
        values = json.loads(file.read())
    target = values["target"]
    target["url"] = resolve_url(target["url"])
    target["graph"] = RevisionGraph(
        **{kind: _restore_tuples(parents) for kind, parents in target["graph"].items()}
    )
    return ServeOptions(
        **{**_restore_tuples(values), "target": HealthTarget(**_restore_tuples(target))}
    )


def _to_json(options: ServeOptions) -> dict[str, Any]:
    """Convert the options to JSON values; libpq's parameters stand for the URL."""
    values = {item.name: getattr(options, item.name) for item in fields(options)}
    target = {item.name: getattr(options.target, item.name) for item in fields(options.target)}
    target["url"] = dict(options.target.url.parameters)
    graph = options.target.graph
    target["graph"] = {item.name: dict(getattr(graph, item.name)) for item in fields(graph)}
    return {**values, "target": target}


def _restore_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Turn lists, as JSON writes tuples, back into tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }


def _open_unnamed_file() -> IO[bytes]:
    """Open an unnamed file in memory, or on disk if the system cannot do that."""
    create = getattr(os, "memfd_create", None)  # Linux
    return tempfile.TemporaryFile() if create is None else os.fdopen(create("larp-serve"), "w+b")
