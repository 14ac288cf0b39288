"""Real answers against the OpenAPI document: schemathesis asks what a client could."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LarpProcess
from tests.databases import until


@pytest.mark.parametrize("state", ["initialised", "dead_database"])
def test_every_answer_is_one_that_the_document_names(
    state: str, request: pytest.FixtureRequest, larp_process: LarpProcess, tmp_path: Path
) -> None:
    """With the database up and down, no status, header or body is undocumented."""
    process = larp_process.start(
        "serve", "--port", "0",
        env={
            "DATABASE_URL": request.getfixturevalue(state),
            "HEALTH_INTERVAL": "0.2",
            "SERVE_DRAIN_SECONDS": "0",
        },
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    wanted = 0 if state == "initialised" else 5
    try:
        until(lambda: larp_process("health", "--url", url).exit_code == wanted)
        # A 503 is what a database that is down is to be told as.
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
                "--checks", "all", "--exclude-checks", "not_a_server_error",
                "--phases", "examples,coverage,fuzzing", "--max-examples", "15",
                "--no-color", "--seed", "1",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=110,
        )  # fmt: skip
    finally:
        process.terminate()
        process.communicate(timeout=20)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
