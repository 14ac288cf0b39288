from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from larp_cli.postgres.embedded import installation
from tests.catalogue import catalogue
from tests.conftest import Larp, LarpProcess
from tests.databases import SCHEMA, query, running, until, value
from tests.integration.cli.db.conftest import Build, Use
from tests.processes import PATIENCE
from tests.projects import sql
from tests.servers import OWNER, Server


def listed(path: Path) -> list[str]:
    """List what is in an archive, with the newest pg_restore there is."""
    done = subprocess.run(
        [installation() / "pg_restore", "--list", path], check=True, capture_output=True, text=True
    )
    return [line for line in done.stdout.splitlines() if line and not line.startswith(";")]


def bulky(url: str) -> str:
    """Fill a table with a few megabytes that do not compress."""
    query(
        url,
        f"CREATE TABLE {SCHEMA}.bulk AS"
        " SELECT md5(n::text) || md5((n + 1)::text) || md5((n * 7)::text) AS noise"
        " FROM generate_series(1, 60000) n",
    )
    return url


# --- the file -------------------------------------------------------------------------


def test_a_backup_is_whole_private_and_told(larp: Larp, ready: str, tmp_path: Path) -> None:
    """The file is an archive with every table in it, for its owner alone, and nothing beside."""
    query(ready, f"CREATE TABLE {SCHEMA}.hero AS SELECT 1 AS id")

    outcome = larp("db", "backup", "schema.dump", "--json")

    path = tmp_path / "schema.dump"
    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.document["changed"] is True
    entries = listed(path)
    assert outcome.result["backup"] == {
        "path": str(path),
        "size": path.stat().st_size,
        "objects": len(entries),
    }
    assert any(f"TABLE DATA {SCHEMA} hero" in entry for entry in entries)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["schema.dump"]
    command = shlex.split(outcome.result["restore_command"])
    assert command == ["larp", "db", "restore", str(path), "--confirm", ready.rpartition("/")[2]]


def test_without_a_file_it_goes_where_backups_are_kept(
    larp: Larp, ready: str, larp_home: Path
) -> None:
    """The name holds database, schema and time, and two backups do not meet."""
    first, second = (Path(larp("db", "backup", "--json").result["backup"]["path"]) for _ in "12")

    assert first != second
    assert {first.parent, second.parent} == {larp_home / "backups"}
    assert first.name.startswith(f"{ready.rpartition('/')[2]}-{SCHEMA}-")
    assert first.suffix == ".dump"
    assert (larp_home / "backups").stat().st_mode & 0o777 == 0o700


def test_what_lives_elsewhere_stays_out(larp: Larp, ready: str, tmp_path: Path) -> None:
    """Only the schema is in the file."""
    query(ready, "CREATE SCHEMA others")
    query(ready, "CREATE TABLE others.kept AS SELECT 1 AS id")

    assert larp("db", "backup", "schema.dump").exit_code == ExitCode.OK

    assert not [entry for entry in listed(tmp_path / "schema.dump") if "others" in entry]


def test_every_server_gets_a_pg_dump_that_is_not_too_new(
    larp: Larp, use: Use, every_server: Server, tmp_path: Path
) -> None:
    """The nearest version of pg_dump is taken, so that the server can restore it."""
    url = use(every_server.url(every_server.create()))
    assert larp("db", "init").exit_code == ExitCode.OK

    assert larp("db", "backup", "schema.dump").exit_code == ExitCode.OK

    listing = subprocess.run(
        [installation() / "pg_restore", "--list", tmp_path / "schema.dump"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    major = str(value(url, "SHOW server_version")).partition(".")[0]
    assert f"Dumped by pg_dump version: {major}." in listing


def test_a_foreign_projects_schema_is_where_its_version_table_is(
    larp: Larp, build: Build, empty: str, tmp_path: Path
) -> None:
    """With -c the project's own schema is backed up, and the command to restore names it."""
    query(empty, "CREATE SCHEMA theirs")
    project = build(options='version_table_schema="theirs"')
    project.revision("r1", sql("CREATE TABLE theirs.hero (id int)"))
    assert larp("db", "migrate", "-c", project.config).exit_code == ExitCode.OK

    outcome = larp("db", "backup", "theirs.dump", "--json", "-c", project.config)

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["schema"] == "theirs"
    assert f"--alembic-config {project.config}" in outcome.result["restore_command"]
    assert any("TABLE DATA theirs hero" in entry for entry in listed(tmp_path / "theirs.dump"))


def test_people_read_the_size_and_how_to_restore(larp: Larp, ready: str, tmp_path: Path) -> None:
    """On a pipe there is a line for each phase, and none for each half second."""
    bulky(ready)

    outcome = larp("db", "backup", "schema.dump")

    path = tmp_path / "schema.dump"
    assert outcome.stderr.splitlines() == [
        f"backing up the schema {SCHEMA} to {path}",
        f"verifying {path}",
    ]
    assert f"backup: {path} (" in outcome.stdout
    assert " MB, " in outcome.stdout
    assert f"restore with: larp db restore {path} --confirm " in outcome.stdout


# --- what stands in the way -----------------------------------------------------------


def test_a_file_that_is_there_is_not_overwritten(larp: Larp, ready: str, tmp_path: Path) -> None:
    """It is refused with 6, until --force says that it may go."""
    path = tmp_path / "schema.dump"
    path.write_text("precious")

    refused = larp("db", "backup", "schema.dump", "--json")
    kept = path.read_text()
    forced = larp("db", "backup", "schema.dump", "--force", "--json")

    assert refused.exit_code == ExitCode.REFUSED
    assert "--force" in refused.document["error"]["hint"]
    assert kept == "precious"
    assert forced.exit_code == ExitCode.OK
    assert listed(path)


def test_of_two_backups_into_one_file_one_is_refused(
    larp_process: LarpProcess, ready: str, tmp_path: Path
) -> None:
    """Whoever comes second finds the name taken, and replaces nothing."""
    arguments = ("db", "backup", str(tmp_path / "schema.dump"), "--json")
    processes = [larp_process.start(*arguments) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=PATIENCE)

    codes = sorted(process.returncode for process in processes)
    assert codes == [ExitCode.OK, ExitCode.REFUSED, ExitCode.REFUSED]
    assert listed(tmp_path / "schema.dump")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (".", "is a directory"),
        ("missing/schema.dump", "cannot be written"),
        ("plain/schema.dump", "cannot be written"),
        ("x" * 300, "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_ends_in_4(
    larp: Larp, ready: str, tmp_path: Path, file: str, said: str
) -> None:
    """The error names the file, and nothing is left behind."""
    (tmp_path / "plain").write_text("a file, no directory")

    outcome = larp("db", "backup", file, "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stdout
    assert said in outcome.document["error"]["message"]
    assert outcome.document["error"]["hint"]
    assert os.listdir(tmp_path) == ["plain"]


def test_a_device_is_no_place_for_a_backup(larp: Larp, ready: str) -> None:
    """Even with --force a device is not replaced by a file."""
    outcome = larp("db", "backup", "/dev/full", "--force", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "/dev/full is not a regular file" in outcome.document["error"]["message"]


def test_a_disk_without_room_leaves_nothing_behind(
    larp_process: LarpProcess, ready: str, tmp_path: Path
) -> None:
    """When the file can grow no further, the error is pg_dump's own, and the file is gone."""
    bulky(ready)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    outcome = larp_process("db", "backup", "schema.dump", "--json", preexec_fn=little_room)

    assert outcome.exit_code == ExitCode.FAILURE, outcome.stdout
    assert "File too large" in outcome.document["error"]["message"]
    assert os.listdir(tmp_path) == []


def test_a_schema_that_is_not_there_ends_in_4(larp: Larp, empty: str, tmp_path: Path) -> None:
    """There is nothing to back up before the schema is made."""
    outcome = larp("db", "backup", "schema.dump", "--json")

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert outcome.document["error"]["hint"] == "larp db init"
    assert os.listdir(tmp_path) == []


def test_a_table_that_may_not_be_read_is_named(
    larp: Larp, ready: str, server: Server, tmp_path: Path
) -> None:
    """A backup without a table would be none: pg_dump's error is told, and no file is made."""
    database = ready.rpartition("/")[2]
    server.execute(f"CREATE TABLE {SCHEMA}.secret AS SELECT 1 AS id", database)

    outcome = larp("db", "backup", "schema.dump", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "permission denied for table secret" in outcome.document["error"]["message"]
    assert os.listdir(tmp_path) == []


def test_a_backup_that_cannot_be_read_back_is_removed(
    larp: Larp, ready: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pg_dump that loses the end of what it writes is found out, however whole its head."""
    bulky(ready)
    fake = tmp_path / "bin" / "pg_dump"
    fake.parent.mkdir()
    fake.write_text(
        f"#!{sys.executable}\n"
        "import os, subprocess, sys\n"
        f"subprocess.run([{str(installation() / 'pg_dump')!r}, *sys.argv[1:]], check=True)\n"
        "for word in sys.argv:\n"
        "    if word.startswith('--file='):\n"
        "        os.truncate(word[7:], os.path.getsize(word[7:]) - 5000)\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)

    outcome = larp("db", "backup", "schema.dump", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "could not be read back and was removed" in outcome.document["error"]["message"]
    assert os.listdir(tmp_path) == ["bin"]


# --- signals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_a_signal_ends_pg_dump_and_leaves_nothing_behind(
    larp_process: LarpProcess, ready: str, tmp_path: Path, number: int, code: ExitCode
) -> None:
    """pg_dump, which waits for a locked table, ends with larp; the half file goes."""
    query(ready, f"CREATE TABLE {SCHEMA}.hero AS SELECT 1 AS id")
    with psycopg.connect(ready) as application:
        application.execute(f"LOCK TABLE {SCHEMA}.hero")
        with larp_process.start("db", "backup", "schema.dump", "--json") as process:
            until(lambda: running(ready, "LOCK TABLE"))
            until(lambda: list(tmp_path.glob(".larp-*")))
            process.send_signal(number)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == code
        until(lambda: not running(ready, "LOCK TABLE"))

    assert os.listdir(tmp_path) == []


def test_the_deadline_ends_pg_dump_too(
    larp_process: LarpProcess, ready: str, tmp_path: Path
) -> None:
    """--timeout ends the command and what it started."""
    query(ready, f"CREATE TABLE {SCHEMA}.hero AS SELECT 1 AS id")
    with psycopg.connect(ready) as application:
        application.execute(f"LOCK TABLE {SCHEMA}.hero")
        outcome = larp_process("db", "backup", "schema.dump", "--json", "--timeout", "2")
        until(lambda: not running(ready, "LOCK TABLE"))

    assert outcome.exit_code == ExitCode.UNREACHABLE
    assert os.listdir(tmp_path) == []


def test_a_backup_changes_nothing_and_waits_for_no_migrator(larp: Larp, ready: str) -> None:
    """It only reads, and needs no mutex."""
    before = catalogue(ready, SCHEMA)
    with psycopg.connect(ready) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        outcome = larp("db", "backup", "--json", env={"MIGRATION_MUTEX_WAIT": "0"})

    assert outcome.exit_code == ExitCode.OK
    assert catalogue(ready, SCHEMA) == before
    assert before["schema"][0].startswith(f"('{SCHEMA}', '{OWNER}'")
