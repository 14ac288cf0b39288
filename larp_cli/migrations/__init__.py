"""Migrations: Alembic's scripts, run one revision at a time under a mutex."""
