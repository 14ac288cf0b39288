"""The health server: an ASGI application, and the lean process that serves it.

Nothing here may import Typer, rich, pydantic, SQLAlchemy or Alembic: they would stay in a
process that lives for months and has to be small.
"""
