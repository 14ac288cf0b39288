"""The environment of a plain Alembic project, after Alembic's own recipe."""

import os

import sqlalchemy as sa
from alembic import context


def run_with(connection: sa.Connection) -> None:
    """Run the migrations on one connection."""
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_with(given)
else:
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    with sa.create_engine(url).connect() as own:
        run_with(own)
