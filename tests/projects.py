"""Alembic projects of other people, built file by file as their tutorials say."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
[alembic]
script_location = %(here)s/scripts
path_separator = os

[loggers]
keys = root,alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console
qualname =

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = foreign %(levelname)s %(message)s
"""

ENVIRONMENT = '''
"""What `alembic init` writes, with the connection as the cookbook shows it."""

import os
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

config = context.config
fileConfig(config.config_file_name)
target_metadata = sa.MetaData()
{models}


def run_offline():
    named = {{"paramstyle": "named"}}
    context.configure(
        dialect_name="postgresql", dialect_opts=named, literal_binds=True, {options}
    )
    with context.begin_transaction():
        context.run_migrations()


def run(connection):
    {before}
    context.configure(connection=connection, target_metadata=target_metadata, {options})
    with context.begin_transaction():
        context.run_migrations()


def run_online():
    connectable = config.attributes.get("connection", None)
    if connectable is None:
        url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            run(connection)
    else:
        run(connectable)


if context.is_offline_mode():
    run_offline()
else:
    run_online()
'''

REVISION = '''
"""{message}"""

import os

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {after!r}
branch_labels = {labels!r}
depends_on = {depends_on!r}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''

VERSIONS = "alembic_version"
"""Version table of a project that names no other."""


@dataclass(frozen=True)
class ForeignProject:
    """An Alembic project that knows nothing of larp."""

    directory: Path

    @property
    def config(self) -> str:
        """Path of its alembic.ini."""
        return str(self.directory / "alembic.ini")

    @property
    def environment(self) -> Path:
        """Path of its env.py."""
        return self.directory / "scripts" / "env.py"

    def revision(
        self,
        revision: str,
        upgrade: str = "pass",
        *,
        after: str | Sequence[str] | None = None,
        downgrade: str = "pass",
        labels: str | None = None,
        depends_on: str | None = None,
    ) -> Path:
        """Write a revision file; ``upgrade`` and ``downgrade`` are Python."""
        path = self.directory / "scripts" / "versions" / f"{revision}.py"
        path.write_text(
            REVISION.format(
                message=f"do {revision}",
                revision=revision,
                after=after,
                labels=labels,
                depends_on=depends_on,
                upgrade=_indented(upgrade),
                downgrade=_indented(downgrade),
            )
        )
        return path

    def chain(self, *upgrades: str) -> list[str]:
        """Write revisions that follow each other: r1, r2 and so on."""
        names = [f"r{number}" for number in range(1, len(upgrades) + 1)]
        for name, below, upgrade in zip(names, [None, *names], upgrades, strict=False):
            self.revision(name, upgrade, after=below)
        return names

    def alembic(self, *arguments: str, url: str) -> subprocess.CompletedProcess[str]:
        """Run plain ``alembic`` on it."""
        return plain_alembic(*arguments, directory=self.directory, url=url)


def plain_alembic(*arguments: str, directory: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run plain ``alembic`` in a directory, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=directory,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )


def foreign_project(
    directory: Path, *, options: str = "", models: str = "", before: str = "pass"
) -> ForeignProject:
    """Build a project without revisions.

    Args:
        directory: Where to build it.
        options: Further arguments of ``context.configure``, as Python.
        models: Statements that fill ``target_metadata``.
        before: A statement that env.py runs on the connection before it configures.
    """
    (directory / "scripts" / "versions").mkdir(parents=True)
    (directory / "alembic.ini").write_text(CONFIG.lstrip())
    project = ForeignProject(directory)
    project.environment.write_text(
        ENVIRONMENT.format(options=options, models=models, before=before).lstrip()
    )
    return project


def sql(*statements: str) -> str:
    """Write the body of an upgrade that runs statements."""
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


def _indented(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip(), "    ")
