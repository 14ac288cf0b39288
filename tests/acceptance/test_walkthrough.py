"""The command lines that the pages show are run, line after line, as a reader would."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.pages import PAGES, blocks, of_page
from tests.acceptance.readers import Reader
from tests.databases import held_mutex, value
from tests.projects import foreign_project
from tests.requirements import LockableProject, make_wheels, offline
from tests.servers import free_port

ELSEWHERE = {
    "make demo": "its transcript is compared in test_docs.py",
    "docker compose": "tests/containers",
    "sh deploy/make-secrets.sh": "tests/containers",
    "rm secrets/": "tests/containers",
    "kubectl": "there is no cluster; what is applied is built and validated in tests/deploy",
    "python3.13 -m venv /opt/larp": "there is no systemd; tests/deploy has its verifier read them",
}
"""First lines of blocks that other tests run."""


def shell_blocks() -> dict[tuple[str, str], str]:
    """List the blocks for a shell on all pages, by page and first line."""
    return {
        (of_page(page), block.splitlines()[0]): block
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"), "sh")
    }


def block(page: str, beginning: str) -> str:
    """Find the one block of a page that begins so."""
    (found,) = (
        text for (name, first), text in shell_blocks().items()
        if name == page and first.startswith(beginning)
    )  # fmt: skip
    return found


def test_every_shown_block_is_run_by_some_test() -> None:
    """A block that no test here names, and that none elsewhere runs, is a promise unkept."""
    source = Path(__file__).read_text(encoding="utf-8")
    unread = [
        f"{page}: {first}"
        for page, first in shell_blocks()
        if not first.startswith(tuple(ELSEWHERE)) and not _is_named(source, page, first)
    ]

    assert not unread


def _is_named(source: str, page: str, first: str) -> bool:
    named = re.findall(r'block\(\s*"([^"]+)", "([^"]+)"', source)
    return any(page == name and first.startswith(beginning) for name, beginning in named)


def test_a_newcomer_gets_to_a_table_of_their_own(reader: Reader) -> None:
    """From a clone, with nothing but the README, to a migrated and served database."""
    reader.type(block("README.md", ". .venv"))
    try:
        reader.write("README.md")
        told = reader.type(block("README.md", "larp db revision -m 'Add players'"))
        assert "CREATE TABLE larp_manager.newcomer" in told
        assert "Ada" in told
        port = reader.environment["SERVE_PORT"]
        reader.type(f"larp health --url http://127.0.0.1:{port}\nlarp db check")
    finally:
        reader.leave()
        reader.running.clear()
        reader.type("larp db stop")


def test_a_pipeline_waits_and_asks(reader: Reader, database: str) -> None:
    """Waiting, migrating, and asking before acting."""
    reader.environment["DATABASE_URL"] = database
    reader.type(block("README.md", "larp db wait"))
    reader.type(block("docs/migrations.md", "larp db init"))
    reader.type(block("docs/settings.md", "larp config show"))
    assert (reader.directory / ".env").is_file()


def test_lock_files_are_kept(reader: Reader, tmp_path: Path) -> None:
    """Both are compiled, and then found to fit."""
    reader.directory = tmp_path / "other"
    wheels = make_wheels(tmp_path / "wheels")
    LockableProject(reader.directory).wants("web>=2", dev=["click"])
    reader.environment.update(offline(wheels, tmp_path / "cache"))

    reader.type(block("README.md", "larp requirements update"))

    assert "web==2.0" in (reader.directory / "requirements.txt").read_text()


def test_a_container_says_how_it_is(reader: Reader, initialised: str) -> None:
    """Serving, asking what serves, and watching."""
    reader.environment["DATABASE_URL"] = initialised
    port = str(free_port())
    reader.type(block("README.md", "larp serve --host"), {"8000": port})
    reader.type(block("docs/health.md", "larp health"), {"8000": str(free_port())})


def test_an_installed_larp_is_set_up(reader: Reader, missing_database: str) -> None:
    """With a URL of one's own the settings are checked and the database is made."""
    shown = "postgresql://larp:PASSWORD@db.internal:5432/larp"
    reader.type(block("README.md", "pip install"), {shown: missing_database})


def test_a_project_of_somebody_else_is_migrated(reader: Reader, database: str) -> None:
    """With -c the commands work on another Alembic project."""
    foreign_project(reader.directory / "service").chain("pass")
    reader.environment["DATABASE_URL"] = database

    reader.type(block("README.md", "larp db migrate -c"))


def test_seeds_are_loaded(reader: Reader, initialised: str) -> None:
    """Those for everybody, and those of an environment."""
    reader.environment["DATABASE_URL"] = initialised
    (reader.directory / "seeds" / "testing").mkdir(parents=True)
    for place in ("seeds/all.sql", "seeds/testing/more.sql"):
        (reader.directory / place).write_text("SELECT 1;")

    reader.type(block("docs/migrations.md", "larp db seed"))


def test_a_release_and_the_way_back(reader: Reader, initialised: str) -> None:
    """Looked at, backed up, migrated, looked after; then undone, and restored."""
    reader.environment["DATABASE_URL"] = initialised
    name = initialised.rpartition("/")[2]

    reader.type(block("docs/operations.md", "larp db plan --check"))
    reader.type(
        block("docs/operations.md", "larp db rollback"), {"--confirm larp": f"--confirm {name}"}
    )


def test_the_holder_of_the_lock_is_found_and_ended(reader: Reader, database: str) -> None:
    """At three in the morning: who is it, end it, go on."""
    reader.environment["DATABASE_URL"] = database
    with held_mutex(database) as holder:
        pid = str(holder.info.backend_pid)
        shown = block("docs/operations.md", "larp db status")
        first, rest = shown.split("\n", 1)
        assert "not_initialised" in _failing(reader, first)
        told = reader.type(rest, {"4711": pid})
        assert pid in told
        with pytest.raises(psycopg.OperationalError):
            holder.execute("SELECT 1")

    assert value(database, "SELECT count(*) FROM larp_manager.alembic_version") == 1


def _failing(reader: Reader, line: str) -> str:
    """Run a line that has to end with 3."""
    done = subprocess.run(
        ["sh", "-c", f"{line} --json"],
        cwd=reader.directory,
        env=reader.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3, done.stderr
    return done.stdout


def test_a_copy_of_production_becomes_another_environment(reader: Reader, initialised: str) -> None:
    """What is stamped is changed by the owner, and larp is content with it."""
    reader.environment["DATABASE_URL"] = initialised

    reader.type(block("docs/operations.md", "larp db shell --owner -- -c"))

    reader.environment["ENVIRONMENT"] = "staging"
    reader.environment["SECRET_KEY"] = "kT7-vQ2x_W9bLr4mZc8nHs1pYd6fGj3aUe5o"
    reader.type("larp db init")


def test_when_nothing_works_it_is_looked_into(reader: Reader, initialised: str) -> None:
    """A report, the settings, and a run that tells everything."""
    reader.environment["DATABASE_URL"] = initialised

    assert "== schema ==" in reader.type(block("docs/operations.md", "larp doctor"))


def test_several_hosts_are_tried(reader: Reader, database: str) -> None:
    """The primary is found among those that are listed."""
    front, _, host = database.rpartition("@")
    place, _, name = host.partition("/")
    listed = f"{front}@127.0.0.1:{free_port()},{place}/{name}"
    reader.type(
        block("docs/operations.md", "export DATABASE_URL"),
        {"postgresql://larp@db1,db2/larp": listed},
    )
