"""Alembic projects of any length, for measuring."""

from __future__ import annotations

import shutil
from pathlib import Path

PLAIN = Path(__file__).with_name("alembic_project")

REVISION = '''"""Create table {number}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {below!r}


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "t{number}",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("t{number}")
'''


def plain_project(directory: Path, revisions: int) -> Path:
    """Write a plain Alembic project of so many revisions; returns its ``alembic.ini``."""
    versions = directory / "versions"
    versions.mkdir(parents=True)
    for name in ("alembic.ini", "env.py"):
        shutil.copy(PLAIN / name, directory / name)
    below = None
    for number in range(1, revisions + 1):
        revision = f"{number:06d}"
        text = REVISION.format(number=number, revision=revision, below=below)
        (versions / f"{revision}_table.py").write_text(text)
        below = revision
    return directory / "alembic.ini"


DJANGO = '''"""Create table {number}."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One table."""

    dependencies = {dependencies!r}
    operations = [
        migrations.CreateModel(
            name="T{number}",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.TextField()),
            ],
        )
    ]
'''

MANAGE = '''"""A Django project in one file."""

import os
import sys
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.management import execute_from_command_line

url = urlsplit(os.environ["DATABASE_URL"])
query = parse_qs(url.query)
settings.configure(
    INSTALLED_APPS=["bench_app"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path.lstrip("/"),
            "USER": url.username,
            "HOST": query["host"][0],
            "PORT": query["port"][0],
        }
    },
)
execute_from_command_line(sys.argv)
'''


def django_project(directory: Path, revisions: int) -> Path:
    """Write a Django project of so many migrations; returns its ``manage.py``."""
    migrations = directory / "bench_app" / "migrations"
    migrations.mkdir(parents=True)
    for package in (migrations.parent, migrations):
        (package / "__init__.py").touch()
    before: list[tuple[str, str]] = []
    for number in range(1, revisions + 1):
        name = f"{number:06d}_table"
        text = DJANGO.format(number=number, dependencies=before)
        (migrations / f"{name}.py").write_text(text)
        before = [("bench_app", name)]
    manage = directory / "manage.py"
    manage.write_text(MANAGE)
    return manage


def dbmate_project(directory: Path, revisions: int) -> Path:
    """Write so many migrations for dbmate; returns their directory."""
    directory.mkdir(parents=True)
    for number in range(1, revisions + 1):
        text = (
            f"-- migrate:up\nCREATE TABLE t{number} (id bigint PRIMARY KEY, name text NOT NULL);\n"
            f"-- migrate:down\nDROP TABLE t{number};\n"
        )
        (directory / f"{20260101000000 + number}_table.sql").write_text(text)
    return directory
