"""``larp db revision``: a new file from what differs between models and schema."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.migrations import project
from larp_cli.migrations.autogenerate import revision_file
from tests.conftest import ROOT, Larp, LarpProcess
from tests.databases import FIRST, SCHEMA, dump, has, query
from tests.revisions import Copy, write

# --- from the models ------------------------------------------------------------------


def test_a_revision_is_written_from_the_models(larp: Larp, copy: Copy) -> None:
    """The file carries date and slug, is documented and formatted, and follows the head."""
    before = copy.files

    outcome = write(larp, "Add players & guilds")

    (path,) = copy.files - before
    result = outcome.result
    assert outcome.document["changed"] is True
    assert result["path"] == str(path)
    assert re.fullmatch(r"\d{8}_\d{4}_add_players_guilds\.py", path.name)
    assert result["down_revisions"] == [FIRST]
    text = path.read_text()
    assert text.startswith('"""Add players & guilds\n')
    assert f'revision: str = "{result["revision"]}"' in text
    assert "CREATE TRIGGER set_updated_at" in text
    black = [sys.executable, "-m", "black", "--check", "--quiet", str(path)]
    assert subprocess.run(black, timeout=60).returncode == 0
    assert copy.debris == set()


def test_what_was_written_goes_up_down_and_up(larp: Larp, copy: Copy, empty: str) -> None:
    """The schema equals the models, nothing is left behind by a downgrade, and it repeats."""
    before = dump(empty, "--exclude-table=*.larp_ledger*", "--exclude-table=*.alembic_version")
    write(larp, "Add players")

    assert larp("db", "migrate").exit_code == ExitCode.OK
    assert larp("db", "check").exit_code == ExitCode.OK
    assert has(empty, f"{SCHEMA}.player")
    assert larp("db", "rollback", "--yes").exit_code == ExitCode.OK
    after = dump(empty, "--exclude-table=*.larp_ledger*", "--exclude-table=*.alembic_version")
    assert after == before
    outcome = larp("db", "migrate", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert larp("db", "check").exit_code == ExitCode.OK


def test_the_plan_of_what_was_written_has_no_hazards(larp: Larp, copy: Copy) -> None:
    """New tables hurt nobody, and the whole SQL can be shown."""
    write(larp, "Add players")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    (revision,) = outcome.result["revisions"]
    assert f"CREATE TABLE {SCHEMA}.player" in revision["sql"]


def test_equal_models_and_schema_need_no_revision(larp: Larp, ready: str) -> None:
    """Nothing is written, and that is no failure."""
    before = set((ROOT / "alembic" / "versions").glob("*.py"))

    outcome = larp("db", "revision", "-m", "Nothing", "--json")

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is False
    assert (outcome.result["revision"], outcome.result["path"]) == (None, None)
    assert set((ROOT / "alembic" / "versions").glob("*.py")) == before
    assert larp("db", "revision", "-m", "Nothing").stdout.startswith("nothing to do: ")


def test_a_database_that_is_behind_is_refused(larp: Larp, copy: Copy) -> None:
    """What differs is only known at head; the hint cures it."""
    write(larp, "Add players")
    before = copy.files

    outcome = larp("db", "revision", "-m", "More", "--json")

    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.document["error"]["hint"].startswith("larp db migrate")
    assert copy.files == before
    assert larp("db", "migrate").exit_code == ExitCode.OK
    assert write(larp, "More").result["path"] is None


def test_a_database_that_is_ahead_is_refused(larp: Larp, copy: Copy, empty: str) -> None:
    """The unknown revision is named."""
    query(empty, f"UPDATE {SCHEMA}.alembic_version SET version_num = 'fff999'")

    outcome = larp("db", "revision", "-m", "More", "--json")

    assert outcome.exit_code == ExitCode.REFUSED
    assert "fff999" in outcome.document["error"]["message"]


def test_an_empty_database_is_refused(larp: Larp, empty: str) -> None:
    """Nothing is written from models against nothing."""
    outcome = larp("db", "revision", "-m", "More", "--json")

    assert outcome.exit_code == ExitCode.REFUSED


# --- empty ----------------------------------------------------------------------------


def test_an_empty_revision_needs_no_database(
    larp: Larp, copy: Copy, dead_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has both functions, follows the head, and runs."""
    alive = os.environ["DATABASE_URL"]
    monkeypatch.setenv("DATABASE_URL", dead_database)
    outcome = write(larp, "Fill in names", "--empty")
    monkeypatch.setenv("DATABASE_URL", alive)

    text = Path(outcome.result["path"]).read_text()
    assert outcome.result["down_revisions"] == [FIRST]
    assert "def upgrade() -> None:" in text
    assert "def downgrade() -> None:" in text
    assert larp("db", "migrate").exit_code == ExitCode.OK
    assert larp("db", "rollback", "--yes").exit_code == ExitCode.OK
    assert larp("db", "migrate").exit_code == ExitCode.OK


def test_empty_revisions_follow_each_other(larp: Larp, copy: Copy) -> None:
    """The second builds on the first, without a branch."""
    first = write(larp, "One", "--empty").result
    second = write(larp, "Two", "--empty").result

    assert second["down_revisions"] == [first["revision"]]


# --- the message ----------------------------------------------------------------------


@pytest.mark.parametrize("message", ["", " ", "\t\n", "!?", '"'])
def test_a_message_without_a_word_is_refused(larp: Larp, copy: Copy, message: str) -> None:
    """A revision has to say what it does, and its file needs a name."""
    before = copy.files

    outcome = larp("db", "revision", "--empty", "-m", message, "--json")

    assert outcome.exit_code == ExitCode.USAGE
    assert copy.files == before


def test_a_revision_without_a_message_is_refused(larp: Larp) -> None:
    """-m is required."""
    outcome = larp("db", "revision", "--empty")

    assert outcome.exit_code == ExitCode.USAGE
    assert "-m" in outcome.stderr


@pytest.mark.parametrize(
    "message",
    [
        'say """hi""" \\ and \\n go',
        '"quoted"',
        "ends in a quote'",
        "ends in a backslash \\",
        "${1 + 1} % %(rev)s {braces} ## not a comment",
        "Füge Spieler hinzu",
        "x" * 300,
    ],
)
def test_any_message_becomes_a_docstring(larp: Larp, copy: Copy, message: str) -> None:
    """Whatever stands in it, the file can be read, and says just that."""
    write(larp, message, "--empty")

    outcome = larp("db", "history", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["revisions"][0]["description"] == message
    assert "unnamed" not in larp("db", "check").stdout


def test_a_message_of_several_lines_becomes_one(larp: Larp, copy: Copy) -> None:
    """The description is a line; control characters have no place in it."""
    outcome = write(larp, "first\nsecond\t\x1b[31mthird", "--empty")

    assert outcome.result["message"] == "first second [31mthird"
    text = Path(outcome.result["path"]).read_text()
    assert text.startswith('"""first second [31mthird\n')


# --- where it goes --------------------------------------------------------------------


def test_an_installed_package_is_no_place_for_revisions(
    larp: Larp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel brings its revisions along; new ones are written in a checkout."""
    packaged = tmp_path / "larp_cli" / "_packaged"
    packaged.mkdir(parents=True)
    shutil.copytree(ROOT / "alembic", packaged / "alembic")
    shutil.copy(ROOT / "alembic.ini", packaged)
    monkeypatch.setattr(project, "_PACKAGE", tmp_path / "larp_cli")

    outcome = larp("db", "revision", "--empty", "-m", "x", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "--alembic-config" in outcome.document["error"]["hint"]


@pytest.mark.parametrize("place", ["alembic", "alembic/versions"])
def test_a_directory_that_may_not_be_written_to_is_named(
    larp: Larp, copy: Copy, place: str
) -> None:
    """Exit 4 with the directory and what to do."""
    directory = copy.directory / place
    directory.chmod(0o555)
    if os.access(directory, os.W_OK):
        pytest.skip("root may write everywhere")
    try:
        outcome = larp("db", "revision", "-m", "x", "--json")
    finally:
        directory.chmod(0o755)

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert str(copy.directory / "alembic" / "versions") in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"]


def test_a_place_that_is_no_directory_is_named(larp: Larp, copy: Copy) -> None:
    """Exit 4, whoever asks."""
    versions = copy.directory / "alembic" / "versions"
    shutil.rmtree(versions)
    versions.write_text("")

    outcome = larp("db", "revision", "--empty", "-m", "x", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION


# --- two at once ----------------------------------------------------------------------


def test_two_at_once_write_one_file_or_one_after_the_other(
    copy: Copy, larp: Larp, larp_process: LarpProcess
) -> None:
    """Empty ones form a chain; none is half-written, none forks."""
    with ThreadPoolExecutor() as pool:
        outcomes = list(
            pool.map(
                lambda number: larp_process("db", "revision", "--empty", "-m", f"n{number}"),
                range(4),
            )
        )

    assert [outcome.exit_code for outcome in outcomes] == [ExitCode.OK] * 4
    history = larp("db", "history", "--json").result["revisions"]
    assert len(history) == 5
    assert [entry["head"] for entry in history] == [True, False, False, False, False]
    assert copy.debris == set()


def test_two_at_once_from_the_models_write_one(
    copy: Copy, larp: Larp, larp_process: LarpProcess
) -> None:
    """The second finds that the first was there, instead of doing the same again."""
    before = copy.files
    with ThreadPoolExecutor() as pool:
        outcomes = list(
            pool.map(lambda number: larp_process("db", "revision", "-m", f"n{number}"), range(3))
        )

    codes = sorted(outcome.exit_code for outcome in outcomes)
    assert codes == [ExitCode.OK, ExitCode.REFUSED, ExitCode.REFUSED]
    assert len(copy.files - before) == 1
    assert larp("db", "migrate").exit_code == ExitCode.OK
    assert larp("db", "check").exit_code == ExitCode.OK


def test_an_author_that_does_not_end_is_not_waited_for_for_ever(
    larp: Larp, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 7 after a while, and nothing is written."""
    monkeypatch.setattr(revision_file, "OTHER_AUTHOR_WAIT", 0.2)
    before = copy.files

    with revision_file._lock_directory(copy.directory / "alembic" / "versions"):
        outcome = larp("db", "revision", "-m", "x", "--json")

    assert outcome.exit_code == ExitCode.LOCKED
    assert copy.files == before


# --- around it ------------------------------------------------------------------------


def test_without_black_the_file_is_as_alembic_writes_it(
    larp: Larp, copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A formatter is a convenience, and no reason to fail."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    outcome = write(larp, "Add players")

    assert "op.create_table('player'" in Path(outcome.result["path"]).read_text()
    assert larp("db", "migrate").exit_code == ExitCode.OK
