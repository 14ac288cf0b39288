"""Labels of enumerated types: Alembic does not compare them, ``larp`` does."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from larp_cli.errors import ExitCode
from tests.conftest import Larp
from tests.databases import SCHEMA, query, value
from tests.findings import check, found
from tests.integration.cli.db.conftest import Build
from tests.revisions import Copy, write

LABELS = "SELECT enum_range(NULL::{})::text"


def labels(url: str, name: str) -> str:
    """Read the labels of a type, in the order in which they sort."""
    text: str = value(url, LABELS.format(name))
    return text.strip("{}")


def enumeration(*moods: str, name: str = "mood", schema: str | None = None) -> str:
    """Write models in which a column has an enumerated type."""
    kind = f"sa.Enum({', '.join(map(repr, moods))}, name={name!r}, schema={schema!r})"
    return f"""
from sqlalchemy.dialects.postgresql import ARRAY
kind = {kind}
sa.Table("hero", target_metadata, sa.Column("mood", kind))
"""


# --- larp db check --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "wanted", "told"),
    [
        (
            "'calm'",
            ("calm", "cross"),
            ["label 'cross' of type mood is in the models, not in the database"],
        ),
        (
            "'calm', 'cross'",
            ("calm",),
            ["label 'cross' of type mood is in the database, not in the models"],
        ),
        (
            "'calm', 'old'",
            ("new", "calm"),
            [
                "label 'new' of type mood is in the models, not in the database",
                "label 'old' of type mood is in the database, not in the models",
            ],
        ),
        (
            "'calm', 'cross'",
            ("cross", "calm"),
            ["type mood has the order 'calm', 'cross' in the database,"
             " 'cross', 'calm' in the models"],
        ),
        ("'calm', 'cross'", ("calm", "cross"), []),
    ],
    ids=["added", "removed", "replaced", "reordered", "equal"],
)  # fmt: skip
def test_labels_that_differ_are_drift(
    larp: Larp, build: Build, empty: str, there: str, wanted: tuple[str, ...], told: list[str]
) -> None:
    """Each label is named with its type and the side that has it."""
    project = build(models=enumeration(*wanted))
    query(empty, f"CREATE TYPE mood AS ENUM ({there}); CREATE TABLE hero (mood mood)")

    outcome = check(larp, "-c", project.config)

    assert found(outcome) == [("model_drift", message) for message in told]


@pytest.mark.parametrize(
    "column",
    [
        'sa.Column("mood", ARRAY(kind))',
        'sa.Column("mood", sa.ARRAY(kind, dimensions=2))',
        'sa.Column("mood", sa.Text().with_variant(kind, "postgresql"))',
        'sa.Column("mood", Decorated())',
    ],
)
def test_the_type_is_found_within_other_types(
    larp: Larp, build: Build, empty: str, column: str
) -> None:
    """In arrays, in what is only PostgreSQL's variant, and in a type of the project's own."""
    decorated = "class Decorated(sa.types.TypeDecorator):\n    impl, cache_ok = sa.Text, True\n"
    models = enumeration("calm", "cross").replace('sa.Column("mood", kind)', column)
    models = f"{decorated}    def load_dialect_impl(self, dialect):\n        return kind\n{models}"
    project = build(models=models)
    array = "[]" if "ARRAY" in column else ""
    query(empty, f"CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE hero (mood mood{array})")

    messages = [message for _, message in found(check(larp, "-c", project.config))]

    assert "label 'cross' of type mood is in the models, not in the database" in messages


def test_a_type_is_looked_for_in_its_own_schema(larp: Larp, build: Build, empty: str) -> None:
    """One of the same name in the search path is another type, and strange names are quoted."""
    query(
        empty,
        'CREATE SCHEMA "Odd"; CREATE TYPE "Odd"."my mood" AS ENUM (\'calm\');'
        "CREATE TYPE \"my mood\" AS ENUM ('calm', 'cross');"
        'CREATE TABLE hero (mood "Odd"."my mood")',
    )
    project = build(models=enumeration("calm", "cross", name="my mood", schema="Odd"))

    assert found(check(larp, "-c", project.config)) == [
        (
            "model_drift",
            'label \'cross\' of type "Odd"."my mood" is in the models, not in the database',
        )
    ]


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (enumeration("calm", "cross"), 1),
        (enumeration("calm", "cross").replace('name="mood"', 'name="mood", native_enum=False'), 1),
    ],
    ids=["type that is missing", "no type at all"],
)
def test_a_type_that_is_not_there_is_told_once(
    larp: Larp, build: Build, empty: str, models: str, told: int
) -> None:
    """That the table is missing says it all."""
    project = build(models=models)

    assert len(found(check(larp, "-c", project.config))) == told


def test_what_env_py_leaves_out_is_left_out(larp: Larp, build: Build, empty: str) -> None:
    """A table that include_object hides hides its types too."""
    hide = "include_object=lambda item, name, *rest: name != 'hero'"
    project = build(models=enumeration("calm", "cross"), options=hide)
    query(empty, "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE hero (mood mood)")

    assert found(check(larp, "-c", project.config)) == []


def test_a_library_that_compares_labels_is_left_to_it(
    larp: Larp, build: Build, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where env.py imports alembic-postgresql-enum, nothing is told or written twice."""
    monkeypatch.setitem(sys.modules, "alembic_postgresql_enum", ModuleType("theirs"))
    project = build(models=enumeration("calm", "cross"))
    query(empty, "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE hero (mood mood)")

    assert found(check(larp, "-c", project.config)) == []


def test_the_hint_says_what_can_be_written_and_what_is_hand_work(
    larp: Larp, build: Build, empty: str
) -> None:
    """A new label is a statement; one that is gone takes a new type."""
    project = build(models=enumeration("new", "calm"))
    query(empty, "CREATE TYPE mood AS ENUM ('old', 'calm'); CREATE TABLE hero (mood mood)")

    added, removed = check(larp, "-c", project.config).result["findings"]

    assert added["hint"].startswith("larp db revision ")
    assert removed["hint"].startswith("write it yourself: larp db revision ")
    assert " --empty " in removed["hint"]


# --- larp db revision -----------------------------------------------------------------


def test_new_labels_are_added_in_their_places(larp: Larp, copy: Copy, empty: str) -> None:
    """First, between and last; it goes up, down and up, and check is content."""
    write(larp, "Add players")
    assert larp("db", "migrate").exit_code == ExitCode.OK
    _edit(copy, '"calm", "cross"', '"a\'b", ":c", "calm", "50%", "cross", "end"')

    outcome = write(larp, "Add moods")

    assert outcome.result["by_hand"] == []
    text = Path(outcome.result["path"]).read_text()
    assert f"ALTER TYPE {SCHEMA}.mood ADD VALUE IF NOT EXISTS '50%' AFTER 'calm'" in text
    downgrade = text.partition("def downgrade")[2]
    assert f"# PostgreSQL takes no label out of {SCHEMA}.mood again" in downgrade
    assert larp("db", "plan", "--check").exit_code == ExitCode.OK
    for command in ("migrate", "rollback", "migrate"):
        arguments = ("--yes",) if command == "rollback" else ()
        assert larp("db", command, *arguments).exit_code == ExitCode.OK
    assert labels(empty, f"{SCHEMA}.mood") == "a'b,:c,calm,50%,cross,end"
    assert larp("db", "check").exit_code == ExitCode.OK
    assert write(larp, "Nothing").result["path"] is None


def test_a_new_table_takes_the_type_that_another_has_made(
    larp: Larp, copy: Copy, empty: str
) -> None:
    """It neither makes the type again nor takes it away when it goes."""
    write(larp, "Add players")
    assert larp("db", "migrate").exit_code == ExitCode.OK
    later = 'sa.Table(\n    "town", target_metadata, sa.Column("id", sa.Uuid, primary_key=True),'
    more = f'{later} sa.Column("mood", mood),\n    sa.Column("moods", ARRAY(mood)),\n)\n'
    _edit(copy, 'sa.Table(\n    "player"', f'{more}sa.Table(\n    "player"')

    text = Path(write(larp, "Add towns").result["path"]).read_text()

    assert text.count("create_type=False") == 2
    assert "TYPE" not in text
    for command in ("migrate", "rollback", "migrate"):
        arguments = ("--yes",) if command == "rollback" else ()
        outcome = larp("db", command, *arguments)
        assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert labels(empty, f"{SCHEMA}.mood") == "calm,cross"
    assert larp("db", "check").exit_code == ExitCode.OK


def test_labels_of_a_type_without_any_are_added(larp: Larp, build: Build, empty: str) -> None:
    """Where there is nothing to stand beside, the first stands alone."""
    project = build(models=enumeration("calm", "cross"))
    _template(project.directory)
    query(empty, "CREATE TYPE mood AS ENUM (); CREATE TABLE hero (mood mood)")

    write(larp, "Add moods", "-c", project.config)

    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK
    assert larp("db", "rollback", "--yes", "-c", project.config).exit_code == ExitCode.OK
    assert labels(empty, "mood") == "calm,cross"


def test_what_is_hand_work_is_warned_of_and_not_written(
    larp: Larp, build: Build, empty: str
) -> None:
    """A label that the models have no more: no file with nothing in it, and no silence."""
    project = build(models=enumeration("calm"))
    _template(project.directory)
    query(empty, "CREATE TYPE mood AS ENUM ('calm', 'old'); CREATE TABLE hero (mood mood)")

    outcome = write(larp, "Drop a mood", "-c", project.config)
    plain = larp("db", "revision", "-m", "Drop a mood", "-c", project.config)

    told = "label 'old' of type mood is in the database, not in the models"
    assert (outcome.result["path"], outcome.result["by_hand"]) == (None, [told])
    assert f"warning: write this change yourself: {told}" in plain.stdout
    assert "nothing to do" not in plain.stdout


def test_hand_work_stands_in_a_file_that_is_written_anyway(
    larp: Larp, build: Build, empty: str
) -> None:
    """A comment where the statement has to go, and the warning."""
    project = build(models=enumeration("calm", "new"))
    _template(project.directory)
    query(empty, "CREATE TYPE mood AS ENUM ('calm', 'old'); CREATE TABLE hero (mood mood)")

    outcome = write(larp, "Replace a mood", "-c", project.config)

    text = Path(outcome.result["path"]).read_text()
    assert re.search(r"# By hand: label 'old' of type mood is in the database", text)
    assert len(outcome.result["by_hand"]) == 1
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK


def _edit(copy: Copy, old: str, new: str) -> None:
    environment = copy.directory / "alembic" / "env.py"
    text = environment.read_text()
    assert old in text
    environment.write_text(text.replace(old, new))


def _template(directory: Path) -> None:
    """Give a project of others a template as short as can be."""
    (directory / "scripts" / "script.py.mako").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n\n"
        "def upgrade():\n    ${upgrades if upgrades else 'pass'}\n\n"
        "def downgrade():\n    ${downgrades if downgrades else 'pass'}\n"
    )
