"""Alembic's environment: which connection, which schema, which tables are ours.

``larp`` hands a connection over in ``config.attributes["connection"]``; plain ``alembic``
makes one from the same settings. Logging is left as it is found.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context

from larp_cli.migrations.autogenerate.include import include_name
from larp_cli.models import Base, add_updated_at_triggers
from larp_cli.settings import load_settings

target_metadata = Base.metadata


def schema_name() -> str:
    """Name the schema: larp says which, plain alembic reads the setting."""
    given: str | None = context.config.attributes.get("schema")
    return given or load_settings().database_schema


def configure(**where: Any) -> None:
    """Configure the context, the same way online and offline."""
    schema = schema_name()
    context.configure(
        target_metadata=target_metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=include_name(schema),
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        process_revision_directives=add_updated_at_triggers,
        **where,
    )


def run_offline() -> None:
    """Write the SQL instead of running it."""
    # With the driver's own paramstyle every % in the script would be doubled.
    configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
    # The version table lives in the schema, and is written before the first revision.
    context.execute(sa.schema.CreateSchema(schema_name(), if_not_exists=True))
    with context.begin_transaction():
        context.run_migrations()


def run_online(connection: sa.Connection) -> None:
    """Run on a connection that is not in a transaction."""
    schema = schema_name()
    if not sa.inspect(connection).has_schema(schema):
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    connection.commit()
    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


def run_on_own_connection() -> None:
    """Connect as larp's settings say; this is what plain ``alembic`` does."""
    from larp_cli.observer import Silent
    from larp_cli.postgres.database import open_database

    with (
        open_database(load_settings(), Silent()) as databases,
        databases.migration.engine() as engine,
        engine.connect() as connection,
    ):
        run_online(connection)


if context.is_offline_mode():
    run_offline()
elif (handed_over := context.config.attributes.get("connection")) is not None:
    run_online(handed_over)
else:
    run_on_own_connection()
