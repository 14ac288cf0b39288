"""Real answers against the OpenAPI document: schemathesis asks what a client could."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LarpProcess
from tests.databases import until
from tests.processes import PATIENCE
from tests.serving import QUICK, Running


@pytest.mark.parametrize("state", ["initialised", "dead_database"])
def test_every_answer_is_one_that_the_document_names(
    state: str, request: pytest.FixtureRequest, larp_process: LarpProcess, tmp_path: Path
) -> None:
    """With the database up and down, no status, header or body is undocumented."""
    environment = {**QUICK, "DATABASE_URL": request.getfixturevalue(state)}
    process = larp_process.start(
        "serve", "--port", "0", "--json", env=environment, stderr=subprocess.DEVNULL
    )
    running = Running.announced(process)
    reason = None if state == "initialised" else "refused"
    until(lambda: running.reason() == reason)
    # A 503 is the documented answer while the database is down.
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{running.url}/openapi.json",
            "--checks", "all", "--exclude-checks", "not_a_server_error",
            "--phases", "examples,coverage,fuzzing", "--max-examples", "15",
            "--no-color", "--seed", "1",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
