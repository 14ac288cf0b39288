"""Migrating: many revisions, nothing pending, many migrators at once, and memory."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from bench.measure import free_port
from bench.projects import dbmate_project, django_project, plain_project
from larp_cli.postgres.embedded import Cluster

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Migrator:
    """A tool, and how it is told to migrate."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]


@contextmanager
def server(directory: Path) -> Iterator[Cluster]:
    """Run a server with the settings it comes with: commits reach the disk."""
    cluster = Cluster(
        directory, settings={"listen_addresses": "127.0.0.1", "port": str(free_port())}
    )
    cluster.initialise()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


def migrators(cluster: Cluster, directory: Path, revisions: int) -> list[Migrator]:
    """Write the same migrations for every tool that is installed."""
    ini = plain_project(directory / "alembic", revisions)
    environment = {"DATABASE_URL": cluster.url("bench"), "LARP_HOME": str(directory)}
    found = [
        Migrator("alembic", [BIN / "alembic", "-c", ini, "upgrade", "head"], environment),
        Migrator("larp", [BIN / "larp", "db", "migrate", "-c", ini], environment),
    ]
    if (BIN / "django-admin").exists():
        manage = django_project(directory / "django", revisions)
        found.append(Migrator("django", [sys.executable, manage, "migrate"], environment))
    dbmate = shutil.which("dbmate")
    if dbmate is not None:
        folder = dbmate_project(directory / "dbmate", revisions)
        command = [dbmate, "--migrations-dir", folder, "--no-dump-schema", "up"]
        socket = cluster.directory / "run"
        url = f"postgres://postgres@/bench?socket={socket}&port={cluster.port}&sslmode=disable"
        found.append(Migrator("dbmate", command, {"DATABASE_URL": url}))
    return found


def pending(directory: Path, runs: int) -> str:
    """Time 10, 100 and 1,000 pending revisions, and nothing pending after each."""
    lines = ["Pending revisions", f"  {'':24}{'median':>10}   against alembic"]
    with server(directory / "postgresql") as cluster:
        for revisions in (10, 100, 1000):
            tools = migrators(cluster, directory / str(revisions), revisions)
            turns = runs if revisions < 1000 else max(3, runs // 3)
            fresh: dict[str, list[float]] = {tool.name: [] for tool in tools}
            again: dict[str, list[float]] = {tool.name: [] for tool in tools}
            for _ in range(turns):
                for tool in tools:
                    recreate(cluster)
                    fresh[tool.name].append(run(tool))
                    again[tool.name].append(run(tool))
            lines += _rows(f"{revisions} pending", fresh)
            lines += _rows(f"none of {revisions} pending", again)
    return "\n".join(lines)


def at_once(directory: Path, migrators_at_once: int = 32, revisions: int = 200) -> str:
    """Time many migrators that start together, against one alone, and their memory."""
    with server(directory / "postgresql") as cluster:
        larp = migrators(cluster, directory / "at-once", revisions)[1]
        recreate(cluster)
        alone = run(larp)
        recreate(cluster)
        began = time.perf_counter()
        processes = [_start(larp) for _ in range(migrators_at_once)]
        failed = sum(process.wait(timeout=300) != 0 for process in processes)
        together = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return (
        f"{migrators_at_once} at once, {revisions} revisions\n"
        f"  one alone {alone:.2f} s, all {together:.2f} s, ratio {together / alone:.2f},"
        f" failed {failed}; peak memory of a process {peak:.0f} MB"
    )


def recreate(cluster: Cluster) -> None:
    """Make the database anew."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        connection.execute("CREATE DATABASE bench")


def run(tool: Migrator) -> float:
    """Run a tool to its end; returns seconds.

    Raises:
        SystemExit: It failed: its time would mean nothing.
    """
    began = time.perf_counter()
    process = _start(tool)
    _, errors = process.communicate(timeout=600)
    if process.returncode != 0:
        raise SystemExit(f"{tool.name} ended with {process.returncode}: {errors[-2000:]}")
    return time.perf_counter() - began


def _start(tool: Migrator) -> subprocess.Popen[str]:
    return subprocess.Popen(
        tool.command,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **tool.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _rows(title: str, seconds: Mapping[str, Sequence[float]]) -> list[str]:
    base = median(seconds["alembic"])
    lines = [f"  {title}"]
    for name, taken in seconds.items():
        ratio = "" if name == "alembic" else f"   {median(taken) / base:.2f}"
        lines.append(f"    {name:20}{median(taken):9.2f} s{ratio}")
    return lines
