"""Wheels and a project, for tests that run a real resolver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.requirements import LockableProject, make_wheels, offline


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with all wheels of the tests."""
    return make_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def resolver_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache directory of pip and uv."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def resolving(
    monkeypatch: pytest.MonkeyPatch, isolated: None, wheels: Path, resolver_cache: Path
) -> None:
    """Make the resolvers find these wheels and nothing else."""
    for name, value in offline(wheels, resolver_cache).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def project(tmp_path: Path, isolated: None) -> LockableProject:
    """A project in the current directory."""
    return LockableProject(tmp_path)
