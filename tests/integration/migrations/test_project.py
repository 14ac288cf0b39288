"""Running an environment: what is refused, and what is put back."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from larp_cli.migrations.alembic_api import list_upgrade_steps
from larp_cli.migrations.project import Project, open_project
from larp_cli.postgres.database import Database
from larp_cli.postgres.url import normalise_url
from larp_cli.settings import Environment
from tests.databases import has


def target(url: str) -> Database:
    """Describe a database as the settings would."""
    return Database(
        url=normalise_url(url),
        environment=Environment.TESTING,
        connect_timeout=5,
    )


@pytest.fixture
def project() -> Project:
    """Open larp's own project."""
    return open_project(None, "larp_manager")


def test_a_connection_in_a_transaction_is_refused(database: str, project: Project) -> None:
    """Alembic would commit nothing in it, and report success (DESIGN 5.8)."""
    with target(database).engine() as engine, engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        with pytest.raises(AssertionError, match="in a transaction"):
            project.run_environment(
                connection,
                lambda heads, context: list_upgrade_steps(project.script, "head", heads),
            )

    assert not has(database, "larp_manager.alembic_version")


def test_what_an_environment_does_is_committed(database: str, project: Project) -> None:
    """Seen from another connection, while the first is still open, the version row is there."""
    with target(database).engine() as engine, engine.connect() as connection:
        project.run_environment(
            connection,
            lambda heads, context: list_upgrade_steps(project.script, "head", heads),
        )
        assert has(database, "larp_manager.alembic_version")
