"""``larp requirements check``: offline and read-only."""

from __future__ import annotations

import subprocess
import sys

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.requirements import LockableProject

MAIN = ["click==8.1", "web==2.0"]
DEV = [*MAIN, "xray==1.5"]


@pytest.fixture
def locked(project: LockableProject) -> LockableProject:
    """A project with matching lock files."""
    project.wants("click>=8", "web", dev=["xray<2", "click<8.2"], more="# a comment")
    return project.locked(MAIN, DEV, hashes=True)


def codes(larp: Larp) -> set[str]:
    """Check, and return the codes of the findings."""
    outcome = larp("requirements", "check", "--json")
    found = {item["code"] for item in outcome.result["findings"]}
    assert outcome.exit_code == (ExitCode.NEGATIVE if found else ExitCode.OK)
    assert outcome.document["changed"] is False
    return found


def test_matching_files_pass(larp: Larp, locked: LockableProject) -> None:
    """The command exits with 0 and says so in one line."""
    outcome = larp("requirements", "check")

    assert outcome.exit_code == ExitCode.OK
    assert "match pyproject.toml and each other" in outcome.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another\n[tool.other]\nx = 1"),
        ("'click>=8', 'web'", "'web',   'Click >= 8'"),
        ("'xray<2', 'click<8.2'", "'click<8.2', 'xray < 2'"),
        ('version = "1"', 'version = "2"'),
    ],
)
def test_equal_requirements_are_not_a_change(
    larp: Larp, locked: LockableProject, old: str, new: str
) -> None:
    """Comments, order, spelling and other tables of pyproject.toml do not count."""
    locked.change("pyproject.toml", old, new)

    assert codes(larp) == set()


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        ("'click>=8', 'web'", "'click>=8', 'web', 'typing-extra'", {"unsatisfied"}),
        ("'click>=8', 'web'", "'web'", set()),
        ("'click>=8'", "'click>=7'", set()),
        ("'click>=8'", "'click>=8.2'", {"unsatisfied"}),
        ("'xray<2', 'click<8.2'", "'xray<2'", set()),
        ('version = "1"', "version = '1'\nrequires-python = '>=3.13'", set()),
    ],
)
def test_changed_requirements_make_the_files_stale(
    larp: Larp, locked: LockableProject, old: str, new: str, more: set[str]
) -> None:
    """Adding, removing or changing a requirement is reported."""
    locked.change("pyproject.toml", old, new)

    assert codes(larp) == {"stale", *more}


@pytest.mark.parametrize(
    ("names", "old", "new", "expected"),
    [
        ("main", "click==8.1", "click==8.0", {"edited", "unequal"}),
        ("both", "click==8.1", "click==8.0", {"edited"}),
        ("both", "click==8.1", "click==7.0", {"edited", "unsatisfied"}),
        ("main", "web==2.0", "other==2.0", {"edited", "unsatisfied", "not_in_dev"}),
        ("main", "click==8.1", "click>=8.1", {"edited", "unsafe", "unequal"}),
        ("main", "click==8.1", "click==8.1.*", {"edited", "unsafe", "unequal"}),
        ("main", "#\nclick", "--index-url https://host/\nclick", {"edited", "unsafe"}),
        ("main", "#\nclick", "-e /home/me/x\nclick", {"edited", "unsafe"}),
        ("main", "# made by", "# https://me:sesame@host/", {"unsafe"}),
        ("both", "# made by a test", "# made by somebody / for a test", set()),
        ("dev", "click==8.1", "click 8.1 ?", {"unreadable"}),
        ("dev", "click==8.1", "click @ file:///x", {"edited", "unsafe", "unequal"}),
        ("main", "larp-inputs", "inputs", {"stale"}),
        ("main", "larp-pins", "pins", {"edited"}),
    ],
)
def test_edited_files_are_found(
    larp: Larp, locked: LockableProject, names: str, old: str, new: str, expected: set[str]
) -> None:
    """Any manual change in a lock file is reported, except in comments."""
    for name, path in (("main", "requirements.txt"), ("dev", "requirements-dev.txt")):
        if names in (name, "both"):
            if old.startswith("#\n"):
                text = locked.text(path)
                head, _, rest = text.partition("\nclick")
                locked.write(path, f"{head}\n{new.removesuffix('click')}click{rest}")
            else:
                locked.change(path, old, new)

    assert codes(larp) == expected


def test_a_missing_hash_is_found(larp: Larp, locked: LockableProject) -> None:
    """A single pin without a hash is reported, because pip rejects the file."""
    lines = locked.main.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("web=="))
    locked.write("requirements.txt", "".join([*lines[:at], "web==2.0\n", *lines[at + 2 :]]))

    assert codes(larp) == {"edited", "hashes"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {"stale", "edited", "unsatisfied"}),
        (b"\x7fELF\x00\xff", {"unreadable"}),
        (b"\x00\x00", {"unreadable"}),
        (b"\xef\xbb\xbfclick==8.1\n", {"unreadable"}),
        (None, {"missing"}),
    ],
)
def test_invalid_files_are_reported(
    larp: Larp, locked: LockableProject, content: bytes | None, expected: set[str]
) -> None:
    """Empty, binary and missing files are findings, not crashes."""
    path = locked.root / "requirements.txt"
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    assert codes(larp) == expected


def test_a_directory_instead_of_a_file_is_reported(larp: Larp, locked: LockableProject) -> None:
    """A directory is reported as unreadable."""
    (locked.root / "requirements.txt").unlink()
    (locked.root / "requirements.txt").mkdir()

    assert codes(larp) == {"unreadable"}


def test_crlf_line_endings_are_reported(larp: Larp, locked: LockableProject) -> None:
    """CRLF is reported, because the next update would write LF."""
    locked.write("requirements.txt", locked.main.replace("\n", "\r\n"))

    assert codes(larp) == {"line_ends"}


def test_a_killed_update_is_reported(larp: Larp, locked: LockableProject) -> None:
    """The journal of a killed update is a finding, and stays."""
    locked.write(".larp-requirements.json", "[]")

    assert codes(larp) == {"interrupted"}
    assert (locked.root / ".larp-requirements.json").exists()


WATCHED = """
import os, sys

def watch(event, arguments):
    if event.startswith(("subprocess.", "socket.", "os.fork", "os.posix_spawn", "os.exec")):
        print(event, arguments, file=sys.stderr)
        os._exit(99)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        print(event, arguments, file=sys.stderr)
        os._exit(98)

from larp_cli.cli.main import main
sys.dont_write_bytecode = True
sys.addaudithook(watch)
os._exit(main(["requirements", "check"]))
"""


def test_it_only_reads(locked: LockableProject) -> None:
    """The check starts no process, opens no socket and writes no file."""
    done = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("resolving")
def test_resolving_again_compares_with_the_index(larp: Larp, project: LockableProject) -> None:
    """--resolve finds an unmet requirement of a requirement, which reading cannot."""
    project.wants("web", dev=["click"])
    larp("requirements", "update", "--backend", "uv")
    fine = larp("requirements", "check", "--resolve", "--backend", "uv", "--json")
    pins = ["typing-extra==1.0", "web==2.0"]
    project.locked(pins, [*pins, "click==8.3"])
    before = project.main

    read = larp("requirements", "check")
    resolved = larp("requirements", "check", "--resolve", "--backend", "uv", "--json")

    assert fine.exit_code == read.exit_code == ExitCode.OK
    assert fine.result["resolved"] is True
    assert resolved.exit_code == ExitCode.NEGATIVE
    assert "typing-extra would be upgraded (1.0 → 1.1)" in resolved.document["error"]["message"]
    assert project.main == before
    assert len(project.names()) == 3
