"""Databases that DATABASE_URL names already, and projects of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from tests import findings, plans
from tests.conftest import Larp
from tests.projects import ForeignProject, foreign_project

type Use = Callable[[str], str]
type Build = Callable[..., ForeignProject]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let DATABASE_URL name a database."""

    def use(url: str) -> str:
        monkeypatch.setenv("DATABASE_URL", url)
        return url

    return use


@pytest.fixture
def empty(use: Use, database: str) -> str:
    """URL of an empty database, which DATABASE_URL names."""
    return use(database)


@pytest.fixture
def ready(use: Use, initialised: str) -> str:
    """URL of a database at head, which DATABASE_URL names."""
    return use(initialised)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build a project of others in a directory of its own."""

    def build(name: str = "theirs", **parts: str) -> ForeignProject:
        return foreign_project(tmp_path / name, **parts)

    return build


@pytest.fixture
def modelled_project(
    build: Build, empty: str, larp: Larp, monkeypatch: pytest.MonkeyPatch
) -> ForeignProject:
    """A project of others whose models equal the schema."""
    project = build(models=findings.MODELS)
    monkeypatch.setenv("ALEMBIC_CONFIG", project.config)
    project.revision("hero", findings.HERO)
    assert larp("db", "migrate").exit_code == ExitCode.OK
    return project


@pytest.fixture
def hero_project(
    build: Build, empty: str, larp: Larp, monkeypatch: pytest.MonkeyPatch
) -> ForeignProject:
    """A project of others whose first revision made and filled a table."""
    project = build()
    monkeypatch.setenv("ALEMBIC_CONFIG", project.config)
    project.revision("hero", plans.HERO)
    assert larp("db", "migrate").exit_code == ExitCode.OK
    return project
