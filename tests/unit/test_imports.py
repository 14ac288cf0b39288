"""What need not be imported is not: it keeps help and completion quick."""

from __future__ import annotations

import pytest

from tests.imports import imported_by

HEAVY = {"alembic", "postgast", "psycopg", "pydantic", "pydantic_settings", "rich", "sqlalchemy"}


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
