"""A primary with a streaming standby: larp finds the primary, before and after a promotion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from larp_cli.errors import ExitCode
from tests.conftest import LarpProcess
from tests.databases import until
from tests.pairs import Pair, streaming
from tests.projects import foreign_project
from tests.serving import QUICK, Running


@pytest.fixture
def pair(server_directory: Path, tmp_path: Path) -> Iterator[Pair]:
    """A pair of its own: it does not come back from a promotion."""
    with streaming(server_directory / f"pair-{tmp_path.name}") as running:
        yield running


@pytest.mark.timeout(180)
def test_a_promotion_is_survived(pair: Pair, larp_process: LarpProcess, tmp_path: Path) -> None:
    """Migrated and served through both names; the primary is killed, the standby promoted."""
    url = pair.url("larp")
    environment = {**QUICK, "DATABASE_URL": url}
    assert larp_process("db", "init", env=environment).exit_code == ExitCode.OK
    with psycopg.connect(pair.primary.url("larp"), autocommit=True) as connection:
        connection.execute("CREATE TABLE larp_manager.kept AS SELECT generate_series(1, 1000) AS n")

    standby_only = {**QUICK, "DATABASE_URL": pair.url("larp", attributes="standby")}
    until(lambda: _reason(larp_process, standby_only) in ("read_only", "replication_lag"))
    refused = larp_process("db", "migrate", "--json", env=standby_only)
    assert refused.exit_code == ExitCode.OK  # at head there is nothing to write

    serving = Running.announced(
        larp_process.start("serve", "--port", "0", "--json", env=environment)
    )
    until(lambda: serving.is_ready)
    pair.kill_primary()
    until(lambda: not serving.is_ready)
    told = larp_process("health", env=environment)
    assert told.exit_code == ExitCode.UNREACHABLE, told.stdout
    pair.promote()
    until(lambda: serving.is_ready)
    assert larp_process("health", "--url", serving.url).exit_code == ExitCode.OK
    serving.end()

    assert larp_process("db", "migrate", env=environment).exit_code == ExitCode.OK
    theirs = foreign_project(tmp_path / "theirs")
    theirs.chain("pass")
    migrated = larp_process("db", "migrate", "--json", "-c", theirs.config, env=environment)
    assert migrated.document["changed"] is True
    status = larp_process("db", "status", "--json", env=environment)
    assert status.result["server"]["standby"] is False
    with psycopg.connect(pair.standby.url("larp")) as connection:
        row = connection.execute("SELECT count(*) FROM larp_manager.kept").fetchone()
    assert row == (1000,)


def _reason(larp_process: LarpProcess, environment: dict[str, str]) -> str | None:
    outcome = larp_process("health", "--json", "--check", "writable", env=environment)
    checks = json.loads(outcome.stdout)["result"]["checks"]
    found: str | None = checks[-1]["reason"]
    return found
