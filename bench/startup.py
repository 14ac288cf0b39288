"""How long a command takes that has nothing to do: start-up, and a database at head."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.measure import Contestant, prepare, race, table
from larp_cli.postgres.embedded import Cluster

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).with_name("alembic_project")
LARP, ALEMBIC = str(BIN / "larp"), str(BIN / "alembic")


def startup(runs: int) -> str:
    """Compare what needs no database."""
    completion = {
        "_LARP_COMPLETE": "complete_bash",
        "COMP_WORDS": "larp db mi",
        "COMP_CWORD": "2",
    }
    contestants = [
        Contestant("python -c pass", [sys.executable, "-c", "pass"], {}),
        Contestant("alembic --help", [ALEMBIC, "--help"], {}),
        Contestant("larp --version", [LARP, "--version"], {}, "alembic --help", 0.35),
        Contestant("larp --help", [LARP, "--help"], {}, "alembic --help", 0.35),
        Contestant("larp (completion)", [LARP], completion, "alembic --help", 0.35),
    ]
    return table("Start-up", contestants, race(contestants, runs=runs))


def at_head(runs: int, directory: Path) -> str:
    """Compare what a database at head costs, each tool with a project of one revision."""
    cluster = Cluster(directory / "postgresql")
    cluster.initialise()
    cluster.start()
    try:
        for name in ("larp", "peer"):
            _create(cluster, name)
        own = {"DATABASE_URL": cluster.url("larp"), "LARP_HOME": str(directory)}
        peer = {"DATABASE_URL": cluster.url("peer"), "LARP_HOME": str(directory)}
        upgrade = [ALEMBIC, "-c", str(PROJECT / "alembic.ini"), "upgrade", "head"]
        foreign = [LARP, "db", "migrate", "-c", str(PROJECT / "alembic.ini")]
        base = "alembic upgrade head"
        contestants = [
            Contestant(base, upgrade, peer),
            Contestant("larp db migrate", [LARP, "db", "migrate"], own, base, 0.6),
            Contestant("larp db migrate -c", foreign, peer, base),
            Contestant("larp db status", [LARP, "db", "status"], own, base),
        ]
        prepare(Contestant("larp db init", [LARP, "db", "init"], own))
        return table("A database at head", contestants, race(contestants, runs=runs))
    finally:
        cluster.stop()


def _create(cluster: Cluster, name: str) -> None:
    import psycopg

    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
