"""``make bench``: every comparison in one run, as tables of medians and ratios."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import health, migrations, requirements, startup


def run() -> None:
    """Run every comparison and print its table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=11, help="counted runs of each command")
    runs = parser.parse_args().runs
    print(startup.startup(runs), flush=True)
    with tempfile.TemporaryDirectory(prefix="larp-bench-") as directory:
        print(startup.at_head(runs, Path(directory) / "at-head"), flush=True)
        print(migrations.pending(Path(directory) / "pending", runs), flush=True)
        print(migrations.at_once(Path(directory) / "at-once"), flush=True)
        print(health.serving(Path(directory) / "serving"), flush=True)
        print(requirements.locking(max(1, runs // 3), Path(directory) / "locking"), flush=True)


if __name__ == "__main__":
    run()
