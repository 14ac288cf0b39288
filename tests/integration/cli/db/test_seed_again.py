"""``larp db init --seed`` on a database that has the development data."""

from __future__ import annotations

from pathlib import Path

from larp_cli.errors import ExitCode
from tests.conftest import Larp


def test_what_is_loaded_already_is_told_with_its_number(
    larp: Larp, ready: str, tmp_path: Path
) -> None:
    """Not that there are no files: somebody would look for them."""
    (tmp_path / "seeds" / "development").mkdir(parents=True)
    for name in ("10_x", "development/20_y"):
        (tmp_path / "seeds" / f"{name}.sql").write_text("SELECT 1")
    larp("db", "init", "--seed")

    again = larp("db", "init", "--seed", "--json")
    plain = larp("db", "init", "--seed")

    assert (again.exit_code, again.document["changed"]) == (ExitCode.OK, False)
    assert again.result["seeded"]["files"] == []
    assert again.result["seeded"]["already_loaded"] == 2
    assert "already loaded: 2 seed files for development in " in plain.stdout
    assert "no seed files" not in plain.stdout


def test_no_file_is_told_each_time(larp: Larp, ready: str, tmp_path: Path) -> None:
    """Where there was nothing to load, nothing is loaded already."""
    (tmp_path / "seeds").mkdir()

    first = larp("db", "init", "--seed")
    second = larp("db", "init", "--seed")

    assert "no seed files for development" in first.stdout
    assert "no seed files for development" in second.stdout
