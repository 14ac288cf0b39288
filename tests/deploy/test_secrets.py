"""The secrets of one machine: made once, closed to others, and in step with each other."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import ROOT

NAMES = {
    "postgres_password", "larp_owner_password", "larp_password", "secret_key",
    "health_details_token", "database_url", "database_migration_url",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with the script where a clone has it."""
    (tmp_path / "deploy").mkdir()
    shutil.copy2(ROOT / "deploy" / "make-secrets.sh", tmp_path / "deploy")
    return tmp_path


def make(project: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        ["sh", str(project / "deploy" / "make-secrets.sh")],
        check=check,
        capture_output=True,
        text=True,
        timeout=20,
    )


def secrets(project: Path) -> dict[str, str]:
    """Read what was made."""
    return {path.name: path.read_text("utf-8") for path in (project / "secrets").iterdir()}


def password_in(url: str) -> object:
    """Read the password in a URL, as libpq does."""
    return conninfo_to_dict(url)["password"]


def test_no_other_account_gets_to_the_secrets(project: Path) -> None:
    """The directory is closed, also one that was open; containers may read the files."""
    (project / "secrets").mkdir(mode=0o755)
    (project / "secrets" / "larp_password").touch(mode=0o600)
    make(project)

    assert set(secrets(project)) == NAMES
    assert (project / "secrets").stat().st_mode & 0o777 == 0o700
    modes = {path.stat().st_mode & 0o777 for path in (project / "secrets").iterdir()}
    assert modes == {0o444}


def test_what_is_there_stays(project: Path) -> None:
    """A second run changes nothing; each secret is long, and no two are the same."""
    make(project)
    before = secrets(project)
    make(project)

    assert secrets(project) == before
    assert len(set(before.values())) == len(NAMES)
    assert min(map(len, before.values())) >= 64


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_file_that_is_empty_is_made_anew(project: Path, name: str) -> None:
    """As a full disk may leave it."""
    make(project)
    (project / "secrets" / name).unlink()
    (project / "secrets" / name).touch()
    make(project)

    assert secrets(project)[name]


@pytest.mark.parametrize(
    ("password", "url"),
    [("larp_password", "database_url"), ("larp_owner_password", "database_migration_url")],
)
def test_a_url_follows_its_password(project: Path, password: str, url: str) -> None:
    """Another password is in its URL at once; nothing else changes."""
    make(project)
    before = secrets(project)
    (project / "secrets" / password).unlink()
    make(project)
    after = secrets(project)

    assert {name for name in NAMES if before[name] != after[name]} == {password, url}
    assert password_in(after[url]) == after[password]


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_password_of_ones_own_may_hold_any_character(project: Path, ending: str) -> None:
    """What would end the password in a URL is encoded, and not a second time."""
    own = "p@ss/w:rd?\"'%41 #\\&é"
    (project / "secrets").mkdir()
    (project / "secrets" / "larp_password").write_text(own + ending, "utf-8")
    for _ in range(2):
        make(project)
        made = secrets(project)
        assert made["larp_password"] == own + ending
        assert password_in(made["database_url"]) == own


def test_a_url_of_ones_own_stays_with_the_right_password(project: Path) -> None:
    """It may lead somewhere else, with parameters."""
    make(project)
    url = f"postgresql://me:{secrets(project)['larp_password']}@db/larp?sslmode=require"
    file = project / "secrets" / "database_url"
    file.unlink()
    file.write_text(url)
    make(project)

    assert secrets(project)["database_url"] == url


def test_a_url_of_ones_own_with_another_password_is_refused(project: Path) -> None:
    """Neither is right for sure, so neither is overwritten."""
    make(project)
    file = project / "secrets" / "database_url"
    file.unlink()
    file.write_text("postgresql://me:sesame@db/larp")
    before = secrets(project)
    done = make(project, check=False)

    assert done.returncode == 1
    assert (
        "secrets/database_url does not contain the password in secrets/larp_password" in done.stderr
    )
    assert "hint: " in done.stderr
    assert "sesame" not in done.stderr
    assert secrets(project) == before
