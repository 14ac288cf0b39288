"""Serving health: requests, latency, memory and start, beside FastAPI on the same server."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import free_port
from larp_cli.postgres.embedded import Cluster

BIN = Path(sys.executable).parent
PATHS = ("/health", "/health/db", "/health/ready")
CONNECTIONS, SECONDS, REQUESTS = 64, 5, 10_000
TARGETS = {"/health": 2.0, "/health/db": 5.0}
"""How many times the requests per second of the peer."""


@dataclass(frozen=True)
class Contestant:
    """A server, and how it is started on a port."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    port: int


@dataclass(frozen=True)
class Load:
    """What wrk says of one path."""

    requests: float
    """A second."""
    p99: str


def serving(directory: Path) -> str:
    """Measure both, one after the other."""
    cluster = Cluster(
        directory / "postgresql",
        settings={"listen_addresses": "127.0.0.1", "port": str(free_port())},
    )
    cluster.initialise()
    cluster.start()
    try:
        return "\n".join(_measured(cluster, directory))
    finally:
        cluster.stop()


def _measured(cluster: Cluster, directory: Path) -> Iterator[str]:
    contestants = _contestants(cluster, directory)
    loads: dict[str, dict[str, Load]] = {}
    memory: dict[str, tuple[float, float]] = {}
    yield "Serving health, one process each"
    for contestant in contestants:
        with _running(contestant) as (process, first):
            idle = _resident(process)
            loads[contestant.name] = {path: _wrk(contestant.port, path) for path in PATHS}
            for path in PATHS:
                _ask(contestant.port, path, REQUESTS)
            memory[contestant.name] = idle, _resident(process)
            yield (
                f"  {contestant.name:10} first 200 after {first:.2f} s; {idle:.1f} MB idle,"
                f" {memory[contestant.name][1]:.1f} MB after {REQUESTS:,} more of each"
            )
    ours, theirs = (contestant.name for contestant in contestants)
    for path in PATHS:
        mine, peer = loads[ours][path], loads[theirs][path]
        if not mine.requests or not peer.requests:
            continue
        ratio, target = mine.requests / peer.requests, TARGETS.get(path)
        told = f", target {target:g}: {'met' if ratio >= target else 'MISSED'}" if target else ""
        yield (
            f"  {path:14} {mine.requests:8.0f} against {peer.requests:8.0f} requests/s"
            f" ({ratio:.1f} times{told}); 99 % within {mine.p99} against {peer.p99}"
        )
    share = memory[ours][1] / memory[theirs][1]
    yield f"  memory {share:.2f} of the peer's, target 0.65: {'met' if share <= 0.65 else 'MISSED'}"


def _contestants(cluster: Cluster, directory: Path) -> list[Contestant]:
    url = cluster.url("larp")
    larp = {"DATABASE_URL": url, "LARP_HOME": str(directory), "SERVE_DRAIN_SECONDS": "0"}
    subprocess.run(
        [BIN / "larp", "db", "init", "--quiet"],
        env={"PATH": os.environ["PATH"], **larp},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    socket = cluster.directory / "run"
    peer = f"postgresql+asyncpg://postgres@/larp?host={socket}&port={cluster.port}"
    ours, theirs = free_port(), free_port()
    serve = [str(BIN / "larp"), "serve", "--quiet", "--port", str(ours)]
    uvicorn = [str(BIN / "uvicorn"), "bench.fastapi_stack:app", "--port", str(theirs)]
    quiet = ["--no-access-log", "--log-level", "warning", "--loop", "asyncio"]
    return [
        Contestant("larp", serve, larp, ours),
        Contestant("fastapi", [*uvicorn, *quiet], {"PEER_URL": peer}, theirs),
    ]


@contextmanager
def _running(contestant: Contestant) -> Iterator[tuple[int, float]]:
    began = time.perf_counter()
    process = subprocess.Popen(
        contestant.command,
        env={"PATH": os.environ["PATH"], **contestant.environment},
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
    )
    try:
        while not _answers(contestant.port):
            if process.poll() is not None or time.perf_counter() - began > 30:
                raise SystemExit(f"{contestant.name} does not serve")
            time.sleep(0.005)
        yield process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(port: int) -> bool:
    try:
        return _ask(port, "/health", 1) == 200
    except OSError:
        return False


def _ask(port: int, path: str, times: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for _ in range(times):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
        return response.status
    finally:
        connection.close()


def _resident(pid: int) -> float:
    """Read a process's resident memory, in megabytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1024


def _wrk(port: int, path: str) -> Load:
    if shutil.which("wrk") is None:
        return Load(0.0, "unknown: wrk is not installed")
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--latency"]
    done = subprocess.run(
        ["wrk", *options, f"http://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    requests = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p99 = re.search(r"99%\s+(\S+)", done.stdout)
    assert requests is not None
    assert p99 is not None
    return Load(float(requests[1]), p99[1])
