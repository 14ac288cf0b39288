"""What docs/migrations.md shows in Python and SQL does what the page says."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.pages import blocks
from tests.acceptance.readers import Reader, renamed
from tests.conftest import ROOT
from tests.databases import value

PAGE = (ROOT / "docs/migrations.md").read_text(encoding="utf-8")


def shown(language: str, fragment: str) -> str:
    """Find the one block on the page with a fragment in it."""
    (found,) = (block for block in blocks(PAGE, language) if fragment in block)
    return renamed(found)


def newest(author: Reader) -> Path:
    """Find the revision file that was written last."""
    return max((author.directory / "alembic" / "versions").glob("*.py"), key=_written)


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_the_index_is_built_outside_of_a_transaction(author: Reader) -> None:
    """The plan has no hazards, it goes up, down and up, and then models equal schema."""
    line = shown("python", "mapped_column(index=True)")
    author.edit_model(f"    {line}", "from sqlalchemy.orm import mapped_column\n")
    author.type("larp db revision -m 'Index names'")
    path = newest(author)
    head = path.read_text().partition("def upgrade")[0]
    path.write_text(head + shown("python", "postgresql_concurrently=True"))

    author.type("larp db plan --check\nlarp db migrate\nlarp db check")
    author.type("larp db rollback --yes\nlarp db migrate\nlarp db check")

    index = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    assert value(author.environment["DATABASE_URL"], index, "larp_manager.ix_newcomer_name") is True


def test_a_model_may_take_types_from_the_package_it_is_imported_in(author: Reader) -> None:
    """The package has its types by the time that it imports the model, at its end."""
    column = (
        "    name: Mapped[str]\n"
        "    wishes: Mapped[JsonObject | None]\n"
        "    friends: Mapped[UuidArray | None]\n"
    )
    imports = (
        "from larp_cli.models import JsonObject\nfrom larp_cli.models.types import UuidArray\n"
    )
    author.edit_model(column, imports)

    told = author.type("larp db revision -m 'Add wishes'\nlarp db migrate\nlarp db check")

    assert "Add wishes" in told
    assert "postgresql.JSONB" in newest(author).read_text()


def test_the_seeds_can_be_loaded_again(author: Reader) -> None:
    """Twice the same file makes no row twice."""
    seeds = author.directory / "seeds"
    seeds.mkdir()
    (seeds / "10_newcomers.sql").write_text(shown("sql", "ON CONFLICT"))

    author.type("larp db seed\nlarp db seed")

    assert (
        value(author.environment["DATABASE_URL"], "SELECT count(*) FROM larp_manager.newcomer") == 2
    )


def test_an_enumerated_type_comes_and_grows(author: Reader) -> None:
    """A column of a new type, and then a label: each is a revision that runs as it is written."""
    moods = "import enum\nclass Mood(enum.Enum):\n    calm = 1\n    cross = 2\n"
    author.edit_model("    name: Mapped[str]\n    mood: Mapped[Mood]\n", moods)
    author.type("larp db revision -m 'Add moods'\nlarp db migrate\nlarp db check")
    path = author.directory / "larp_cli" / "models" / "newcomer.py"
    path.write_text(path.read_text().replace("    cross = 2\n", "    bored = 3\n    cross = 2\n"))

    author.type("larp db revision -m 'Add a mood'\nlarp db plan --check\nlarp db migrate")
    author.type("larp db check\nlarp db rollback --yes\nlarp db migrate")

    labels = "SELECT enum_range(NULL::larp_manager.mood)::text"
    assert value(author.environment["DATABASE_URL"], labels) == "{calm,bored,cross}"
