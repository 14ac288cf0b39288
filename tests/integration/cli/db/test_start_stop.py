"""``db start`` and ``db stop``, and the embedded server behind every command."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.observer import Silent
from larp_cli.postgres.embedded import EmbeddedServer
from tests.conftest import Larp, LarpProcess
from tests.databases import HEAD


@pytest.fixture
def embedded_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A LARP_HOME with a short path that every account can pass, stopped in the end."""
    directory = Path(tempfile.mkdtemp(prefix="larp-t-", dir="/tmp")).resolve()
    directory.chmod(0o755)
    home = directory / "home"
    monkeypatch.setenv("LARP_HOME", str(home))
    yield home
    if (home / "embedded").exists():
        EmbeddedServer(home, Silent()).stop()
    shutil.rmtree(directory)


def test_start_keeps_it_up_and_stop_ends_it(larp: Larp, embedded_home: Path) -> None:
    """Both are idempotent, and say whether they changed anything."""
    first = larp("db", "start", "--json")
    second = larp("db", "start", "--json")
    init = larp("db", "init", "--json")
    status = larp("db", "status", "--json")
    stopped = larp("db", "stop", "--json")
    again = larp("db", "stop", "--json")

    outcomes = (first, second, init, status, stopped, again)
    assert [o.exit_code for o in outcomes] == [ExitCode.OK] * 6, [o.stdout for o in outcomes]
    changes = [o.document["changed"] for o in (first, second, stopped, again)]
    assert changes == [True, False, True, False]
    assert (first.result["running"], first.result["kept"]) == (True, True)
    assert first.result["url"].startswith("postgresql://")
    assert status.result["server"]["embedded"] is True
    assert status.result["current"] == [HEAD]
    assert (stopped.result["running"], stopped.result["kept"]) == (False, False)
    assert stopped.result["url"] is None


def test_without_start_it_lives_as_long_as_a_command(
    larp_process: LarpProcess, embedded_home: Path
) -> None:
    """On demand it is started, told on one line, and stopped by the last who used it."""
    outcome = larp_process("db", "init", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert outcome.result["migrated"]["after"] == [HEAD]
    assert "embedded PostgreSQL" in outcome.stderr
    assert not EmbeddedServer(embedded_home, Silent()).status().running
    status = larp_process("db", "status", "--json")
    assert status.exit_code == ExitCode.OK


def test_stopping_what_never_ran_is_no_error(larp: Larp, embedded_home: Path) -> None:
    """Nothing is there, nothing is changed, nothing is made."""
    outcome = larp("db", "stop", "--json")

    assert (outcome.exit_code, outcome.document["changed"]) == (ExitCode.OK, False)
    assert outcome.result["running"] is False


def test_production_never_uses_it(larp: Larp, embedded_home: Path) -> None:
    """A production without DATABASE_URL ends in 4, and no server is started."""
    env = {"ENVIRONMENT": "production", "SECRET_KEY": "kT7-vQ2x_W9bLr4mZc8nHs1pYd6fGj3aUe5o"}

    for words, url in (("init", ""), ("start", ""), ("start", "postgresql://larp@db/larp")):
        outcome = larp("db", words, "--json", env={**env, "DATABASE_URL": url})

        assert outcome.exit_code == ExitCode.CONFIGURATION
        assert "DATABASE_URL" in outcome.document["error"]["message"]
        assert not embedded_home.exists()
