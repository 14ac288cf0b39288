"""What larp uses of psycopg beyond its documentation: one set of parameters per address.

``psycopg.connect`` does the same, but gives each address the whole ``connect_timeout``. The
contract is tested in ``tests/unit/postgres/test_psycopg_api.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.conninfo import conninfo_attempts


def list_attempts(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Look up the host names, and return the parameters of each connection to try, in order.

    Raises:
        psycopg.OperationalError: No host has an address.
    """
    return conninfo_attempts(parameters)
