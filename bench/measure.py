"""Timing whole commands side by side: in turns, so that a drifting machine hits all alike."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    """A command and what its result is compared with."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    against: str | None = None
    """Name of the contestant whose median is the measure; None only serves as one."""
    target: float | None = None
    """Largest ratio that is good enough."""


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one command over all runs."""

    name: str
    low: float
    median: float
    high: float


def race(contestants: Sequence[Contestant], *, runs: int) -> dict[str, Timing]:
    """Run every command once to warm up, then ``runs`` times in turns.

    Raises:
        SystemExit: A command failed: its time would mean nothing.
    """
    seconds: dict[str, list[float]] = {item.name: [] for item in contestants}
    for turn in range(runs + 1):
        for item in contestants:
            taken = _seconds(item)
            if turn:
                seconds[item.name].append(taken)
    return {
        name: Timing(name, min(taken), statistics.median(taken), max(taken))
        for name, taken in seconds.items()
    }


def prepare(item: Contestant) -> None:
    """Run a command once without counting it."""
    _seconds(item)


def table(title: str, contestants: Sequence[Contestant], timings: Mapping[str, Timing]) -> str:
    """Write medians, spreads and ratios as lines of text."""
    lines = [title, f"  {'command':34}{'median':>9}{'min':>9}{'max':>9}   ratio  target"]
    for item in contestants:
        timing = timings[item.name]
        line = f"  {item.name:34}" + "".join(
            f"{value * 1000:6.0f} ms" for value in (timing.median, timing.low, timing.high)
        )
        if item.against is not None:
            ratio = timing.median / timings[item.against].median
            line += f"   {ratio:5.2f}"
            if item.target is not None:
                verdict = "met" if ratio <= item.target else "MISSED"
                line += f"  {item.target:.2f} {verdict} (against {item.against})"
            else:
                line += f"        (against {item.against})"
        lines.append(line)
    return "\n".join(lines)


def free_port() -> int:
    """Find a TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _seconds(item: Contestant) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        item.command,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **item.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    taken = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{item.name} ended with {done.returncode}: {done.stderr.strip()}")
    return taken
