"""Failures of ``larp requirements update``, which leave the old files unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.requirements import LockableProject, make_wheel, serving
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("resolving")


@pytest.fixture
def locked(project: LockableProject) -> LockableProject:
    """A project with lock files that must not change."""
    return project.wants("click").locked(["click==8.0"], ["click==8.0"])


def test_a_conflict_names_both_sides(larp: Larp, locked: LockableProject) -> None:
    """The error says which package needs which version."""
    before = locked.main, locked.dev
    locked.wants("alpha==1.0", dev=["beta"])

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    error = outcome.document["error"]
    assert "alpha 1.0 needs xray<2; beta 2.0 needs xray>=2" in error["message"]
    assert error["hint"] == "loosen one of these in pyproject.toml"
    assert (locked.main, locked.dev) == before
    assert len(locked.names()) == 3


def test_a_package_that_does_not_exist_is_named(larp: Larp, locked: LockableProject) -> None:
    """The error names the package, and larp does not try the other order."""
    before = locked.main, locked.dev
    locked.wants("nonesuch>=3", dev=["click"])

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "the index has no nonesuch>=3" in outcome.stderr
    assert "main first" not in outcome.stderr
    assert "hint: correct the name" in outcome.stderr
    assert (locked.main, locked.dev) == before


def test_an_unreachable_index_is_reported(larp: Larp, locked: LockableProject) -> None:
    """Without a network, the error does not claim that a package is missing."""
    before = locked.main, locked.dev
    dead = {
        "PIP_NO_INDEX": "0",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": f"http://127.0.0.1:{free_port()}/simple",
        "PIP_RETRIES": "1",
    }

    outcome = larp("requirements", "update", "--upgrade", env=dead)

    assert outcome.exit_code == ExitCode.FAILURE
    assert "the package index cannot be reached" in outcome.stderr
    assert "127.0.0.1" not in outcome.stderr
    assert outcome.stderr.count("compiling") == 1
    assert (locked.main, locked.dev) == before


@pytest.mark.parametrize("backend", ["pip-tools", "uv"])
def test_a_missing_password_is_reported(
    larp: Larp, locked: LockableProject, monkeypatch: pytest.MonkeyPatch, wheels: Path, backend: str
) -> None:
    """The error says that the index rejected the request, not that a package is missing."""
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    with serving(wheels, "larp:sesame") as index:
        url = f"http://127.0.0.1:{index.port}/simple"
        closed = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": url}
        closed |= {"UV_INDEX_URL": url}

        outcome = larp("requirements", "update", "--upgrade", "--backend", backend, env=closed)

    assert outcome.exit_code == ExitCode.FAILURE
    assert "the package index rejected the request (401)" in outcome.stderr
    assert "127.0.0.1" not in outcome.stderr


def test_a_replaced_file_is_an_error(larp: Larp, locked: LockableProject, tmp_path: Path) -> None:
    """If a file in the index does not match the locked hash, only -P accepts it."""
    make_wheel(tmp_path / "wheels", "click", "8.0")
    here = {"PIP_FIND_LINKS": str(tmp_path / "wheels")}
    locked.locked(["click==8.0"], ["click==8.0"], hashes=True)
    before = locked.main

    outcome = larp("requirements", "update", env=here)
    trusted = larp("requirements", "update", "-P", "click", env=here)

    assert outcome.exit_code == ExitCode.FAILURE
    assert "the index has another file for click 8.0 than the locked one" in outcome.stderr
    assert trusted.exit_code == ExitCode.OK
    assert locked.main != before


@pytest.mark.parametrize("command", ["update", "check", "rollback"])
def test_an_invalid_project_is_rejected_first(
    larp: Larp, project: LockableProject, command: str
) -> None:
    """If pyproject.toml is not valid TOML, each command exits with 4."""
    project.write("pyproject.toml", "[project\n")

    outcome = larp("requirements", command)

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "not valid TOML" in outcome.stderr
    assert "hint: " in outcome.stderr
    assert project.names() == {"pyproject.toml"}


def test_a_binary_file_is_not_overwritten(larp: Larp, locked: LockableProject) -> None:
    """A binary file at the path of a lock file stays as it is."""
    (locked.root / "requirements.txt").write_bytes(b"\xff\x00\xfe")

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "requirements.txt cannot be read: it is not UTF-8 text" in outcome.stderr
    assert (locked.root / "requirements.txt").read_bytes() == b"\xff\x00\xfe"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_reported(larp: Larp, locked: LockableProject) -> None:
    """An update exits with 4; a check and a dry run work."""
    locked.root.chmod(0o555)
    try:
        update = larp("requirements", "update")
        dry = larp("requirements", "update", "--dry-run")
        check = larp("requirements", "check")
    finally:
        locked.root.chmod(0o755)

    assert update.exit_code == ExitCode.CONFIGURATION
    assert "cannot write to" in update.stderr
    assert dry.exit_code == check.exit_code == ExitCode.OK


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from larp_cli.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("size", [40, 1200])
def test_a_full_disk_keeps_the_old_files(locked: LockableProject, size: int) -> None:
    """The files stay whether the disk is full before or after resolving."""
    before = locked.main, locked.dev
    locked.wants("click", *(f"click>={number / 10}" for number in range(8)), "web", "xray")

    outcome = _limited(size, "requirements", "update", "--upgrade")

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stderr
    assert "hint: free disk space" in outcome.stderr
    assert "bug" not in outcome.stderr
    assert (locked.main, locked.dev) == before
    assert len(locked.names()) == 3


def _limited(size: int, *arguments: str) -> Outcome:
    command = [sys.executable, "-c", LIMITED, str(size), *arguments]
    # Python 3.13 would leave compiled modules that are cut off at the limit.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_unwritable_backups_are_reported_first(
    larp: Larp, locked: LockableProject, tmp_path: Path
) -> None:
    """If backups cannot be written, larp stops before it compiles, except with --keep 0."""
    (tmp_path / "occupied").write_text("")
    home = {"LARP_HOME": str(tmp_path / "occupied" / "home")}

    refused = larp("requirements", "update", "--backend", "uv", env=home)
    done = larp("requirements", "update", "--backend", "uv", "--keep", "0", env=home)

    assert refused.exit_code == ExitCode.CONFIGURATION
    assert "compiling" not in refused.stderr
    assert "--keep 0" in refused.stderr
    assert done.exit_code == ExitCode.OK
