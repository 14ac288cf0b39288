"""A primary with a streaming standby, made with the programs of the embedded PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from larp_cli.postgres.embedded import Cluster
from larp_cli.postgres.embedded.account import process_options
from tests.databases import until
from tests.servers import OWNER, PASSWORD, Server, free_port


@dataclass(frozen=True)
class Pair:
    """Two servers, the second of which follows the first."""

    primary: Cluster
    standby: Cluster

    def url(self, database: str, *, attributes: str = "read-write") -> str:
        """Return a URL that names both, and which of them is meant."""
        secret = quote(PASSWORD, safe="")
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://{OWNER}:{secret}@{hosts}/{database}?target_session_attrs={attributes}"

    def kill_primary(self) -> None:
        """End the primary as a machine that loses its power does: nobody is told."""
        postmaster = self.primary.postmaster()
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)

    def promote(self) -> None:
        """Make the standby a primary, as an operator or a cluster manager does."""
        with psycopg.connect(self.standby.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(wait => true)")


@contextmanager
def streaming(directory: Path) -> Iterator[Pair]:
    """Run a primary, and a standby that has caught up with it."""
    primary = Cluster(directory / "primary", settings=_settings())
    primary.initialise()
    primary.start()
    standby = Cluster(directory / "standby", settings=_settings())
    try:
        Server(primary.url(), "127.0.0.1", primary.port).prepare()
        standby.prepare()
        subprocess.run(
            [
                standby.programs / "pg_basebackup", "--wal-method=stream", "--write-recovery-conf",
                "--checkpoint=fast", "--pgdata", standby.data_directory,
                "--dbname", f"host={primary.directory}/run port={primary.port} user=postgres",
            ],
            check=True,
            capture_output=True,
            timeout=60,
            **process_options(standby.account),
        )  # fmt: skip
        standby.start()
        pair = Pair(primary, standby)
        until(lambda: _follows(pair), seconds=60)
        yield pair
    finally:
        standby.stop()
        primary.stop()


def _settings() -> dict[str, str]:
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(free_port()),
        "fsync": "off",
        "wal_level": "replica",
        "hot_standby": "on",
    }


def _follows(pair: Pair) -> bool:
    with psycopg.connect(pair.primary.url()) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_replication").fetchone()
    return row == (1,)
