"""Locking dependencies: larp beside two bare runs of the resolver, with wheels made by hand."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Contestant, race, table
from tests.requirements import LockableProject, make_wheel, offline

BIN = Path(sys.executable).parent
PACKAGES, VERSIONS = 124, 3  # larp's own lock file has as many pins
TARGET = 1.1


def locking(runs: int, directory: Path) -> str:
    """Lock a project anew, and once more where nothing has changed."""
    wheels = directory / "wheels"
    for number in range(PACKAGES):
        for version in range(1, VERSIONS + 1):
            needs = [f"package-{other}>=1" for other in range(number + 7, PACKAGES, 7)]
            make_wheel(wheels, f"package-{number}", f"{version}.0", needs)
    environment = {**offline(wheels, directory / "cache"), "LARP_HOME": str(directory / "home")}
    uv = _uv()
    tables = []
    for title, anew in (("from nothing", True), ("nothing to do", False)):
        contestants = _contestants(directory / title, environment, uv, anew=anew)
        heading = f"Locking {PACKAGES} packages in two files, {title}"
        tables.append(table(heading, contestants, race(contestants, runs=runs)))
    return "\n".join(tables)


def _contestants(
    directory: Path, environment: dict[str, str], uv: str | None, *, anew: bool
) -> list[Contestant]:
    pip_tools = [sys.executable, "-m", "piptools", "compile", "--quiet", "--no-config"]
    pip_tools += ["--allow-unsafe", "--strip-extras", "--no-emit-find-links", "--generate-hashes"]
    bare = {"pip-compile": pip_tools}
    ours = {"pip-compile": "pip-tools"}
    if uv is not None:
        bare["uv pip compile"] = [uv, "pip", "compile", "--quiet", "--generate-hashes"]
        bare["uv pip compile"] += ["--python", sys.executable]
        ours["uv pip compile"] = "uv"
    contestants = []
    for name, command in bare.items():
        twice = f"{name}, twice"
        there, here = _project(directory / name), _project(directory / f"larp {name}")
        contestants.append(_shell(twice, there, _two_runs(command), environment, anew=anew))
        update = [str(BIN / "larp"), "requirements", "update", "--quiet", "--keep", "0"]
        update += ["--backend", ours[name]]
        target = TARGET if ours[name] == "pip-tools" else None
        contestants.append(
            _shell(
                f"larp requirements update, {ours[name]}",
                here,
                [update],
                environment,
                anew=anew,
                against=twice,
                target=target,
            )
        )
    return contestants


def _two_runs(command: Sequence[str]) -> list[list[str]]:
    """Compile as one would by hand: dev first, then main within its pins and without hashes."""
    dev = [*command, "--extra", "dev", "-o", "requirements-dev.txt", "pyproject.toml"]
    plain = [
        "sed",
        "-n",
        r"s/^\([a-z0-9-]*==[^ ]*\).*/\1/w constraints.txt",
        "requirements-dev.txt",
    ]
    main = [*command, "-c", "constraints.txt", "-o", "requirements.txt", "pyproject.toml"]
    return [dev, plain, main]


def _shell(
    name: str,
    root: Path,
    commands: Sequence[Sequence[str]],
    environment: dict[str, str],
    *,
    anew: bool,
    against: str | None = None,
    target: float | None = None,
) -> Contestant:
    steps = [
        ["cd", str(root)],
        *([["rm", "-f", "requirements.txt", "requirements-dev.txt"]] * anew),
    ]
    script = " && ".join(map(shlex.join, [*steps, *commands]))
    return Contestant(name, ["sh", "-c", script], environment, against, target)


def _project(root: Path) -> Path:
    """Make a project that wants a few packages, and in development a few more."""
    main = [f"package-{number}" for number in range(4)]
    dev = [f"package-{number}<3" for number in range(4, 7)]
    return LockableProject(root).wants(*main, dev=dev).root


def _uv() -> str | None:
    beside = BIN / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")
