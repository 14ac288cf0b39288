"""What need not be imported is not: it keeps help and completion quick."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"alembic", "psycopg", "pydantic", "pydantic_settings", "rich", "sqlalchemy"}

PROGRAM = """
import json, sys
from larp_cli.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported_by(*arguments: str, **environment: str) -> tuple[int, set[str]]:
    """Run a command line in a fresh process; returns its exit code and what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "db --help",
        "db migrate --help",
        "config --help",
        "config show --help",
    ],
)
def test_help_and_version_import_no_heavy_library(arguments: str) -> None:
    """Someone who asks for help does not wait for SQLAlchemy."""
    code, modules = imported_by(*arguments.split())

    assert code == 0
    assert modules & HEAVY == set()


def test_no_command_at_all_imports_no_heavy_library() -> None:
    """The help that answers an empty command line is as quick."""
    code, modules = imported_by()

    assert code == 2
    assert modules & HEAVY == set()


@pytest.mark.parametrize(
    ("words", "position"), [("larp d", 1), ("larp db mi", 2), ("larp db status --o", 3)]
)
def test_completion_imports_no_heavy_library(words: str, position: int) -> None:
    """Completion runs at every press of the tab key."""
    code, modules = imported_by(
        _LARP_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(position)
    )

    assert code == 0
    assert modules & HEAVY == set()


def test_an_error_of_the_command_line_imports_no_heavy_library() -> None:
    """A typing error is told at once."""
    code, modules = imported_by("db", "migrat")

    assert code == 2
    assert modules & HEAVY == set()
