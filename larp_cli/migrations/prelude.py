"""What an env.py does before its migrations: an eye on it.

A statement such as ``SET LOCAL`` that it runs in their transaction ends with the first commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

_NOTED = "larp_ran_before_migrations"


def watch(environment: EnvironmentContext) -> None:
    """Note, when the migrations begin, whether their transaction has been used already.

    The method is replaced on the object: the module ``alembic.context`` knows no subclass.
    """
    run_migrations = environment.run_migrations

    def watched(**options: Any) -> None:
        connection = environment.get_context().connection
        driver: Any = connection and connection.connection.driver_connection
        used = driver is not None and driver.info.transaction_status != TransactionStatus.IDLE
        environment.config.attributes[_NOTED] = used
        run_migrations(**options)

    environment.run_migrations = watched  # type: ignore[method-assign]


def ran_before_migrations(context: MigrationContext) -> bool:
    """Look whether env.py ran something in the transaction before the migrations began."""
    environment = context.environment_context
    return environment is not None and bool(environment.config.attributes.get(_NOTED))
