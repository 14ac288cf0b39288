"""A real PgBouncer in front of a test server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.databases import until
from tests.servers import OWNER, PASSWORD, Server, free_port, unavailable

SEARCHED = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
"""Debian puts it where only root's PATH leads."""

CONFIGURATION = """
[databases]
* = host={server.host} port={server.port} user={user} password='{password}'

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
"""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer; it enters the server as the tests' usual role."""

    port: int

    def url(self, direct: str) -> str:
        """Return the way to the database of a direct URL through this pooler."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{direct.rpartition('/')[2]}"


@contextmanager
def pgbouncer(
    server: Server, directory: Path, mode: str, *, port: int | None = None, **settings: object
) -> Iterator[Pooler]:
    """Run PgBouncer in a pool mode, with further settings of its ``[pgbouncer]`` section.

    Two may listen on one ``port`` when both have the setting ``so_reuseport``.
    """
    program = shutil.which("pgbouncer", path=SEARCHED)
    if program is None:
        unavailable("PgBouncer is not installed", program="pgbouncer")
    port = port or free_port()
    text = CONFIGURATION.format(
        server=server, port=port, user=OWNER, password=PASSWORD.replace("'", "''")
    )
    lines = [f"{name} = {value}" for name, value in {"pool_mode": mode, **settings}.items()]
    configuration = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=directory), "pgbouncer.ini")
    configuration.write_text(text + "\n".join(lines) + "\n")
    # It refuses to run as root, and reads its configuration before it becomes somebody else.
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    with (
        configuration.with_suffix(".log").open("wb") as log,
        subprocess.Popen([program, "-q", *account, configuration], stderr=log) as process,
    ):
        try:
            until(lambda: _listens(port, process))
            yield Pooler(port)
        finally:
            process.kill()


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "PgBouncer did not start; see its log in the test's directory"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
