"""A database with the tables of a game."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from larp_cli.postgres.engine import PoolOptions, create_engine
from larp_cli.postgres.url import normalise_url
from tests.game import GameBase


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """An engine on a fresh database with the tables of the game."""
    engine = create_engine(normalise_url(database), PoolOptions(size=2))
    GameBase.metadata.create_all(engine)
    yield engine
    engine.dispose()
