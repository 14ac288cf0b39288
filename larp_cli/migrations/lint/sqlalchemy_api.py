"""What larp uses of SQLAlchemy beyond its documentation: the class of connections without a server.

The documented `sqlalchemy.create_mock_engine` makes such connections, but with a dialect of its
own, and can give them no further methods. The contract is tested in
``tests/unit/migrations/lint/test_sqlalchemy_api.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.mock import MockConnection


class StatementConnection(MockConnection):
    """A connection that hands each statement and its parameters to a function."""

    def __init__(self, dialect: sa.Dialect, execute: Callable[[Any, Any], Any]) -> None:
        """Pass statements, those of DDL objects included, on to ``execute``; its result returns."""
        super().__init__(dialect, execute)
