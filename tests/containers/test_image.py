"""The image: small, without privileges, and content with what a careful cluster grants."""

from __future__ import annotations

import pytest

from tests.containers.conftest import Docker

pytestmark = pytest.mark.timeout(600)

CAREFUL = (
    "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--memory", "64m", "--user", "54321:54321", "--network", "none",
)  # fmt: skip


def test_it_runs_as_anybody_with_nothing_to_write_to(docker: Docker) -> None:
    """A read-only root, no capability, 64 MB, and a uid that no file knows."""
    assert docker.run(*CAREFUL, "larp-cli", "--version").stdout.startswith("larp ")
    health = docker.run(
        *CAREFUL, "-e", "ENVIRONMENT=development",
        "-e", "DATABASE_URL=postgresql://x@127.0.0.1:1/x",
        "larp-cli", "health", check=False,
    )  # fmt: skip
    assert health.returncode == 5
    assert "refused" in health.stdout


def test_its_own_account_is_not_root_and_owns_nothing(docker: Docker) -> None:
    """What it runs it cannot change."""
    script = "id -u; test -w /opt/larp && echo writable; find / -xdev -user 10001 2>/dev/null"
    told = docker.run("--entrypoint", "sh", "larp-cli", "-c", script, check=False).stdout

    assert told.split() == ["10001"]


@pytest.mark.parametrize("program", ["gcc", "cc", "curl", "wget", "git", "make"])
def test_nothing_is_in_it_that_is_not_needed(docker: Docker, program: str) -> None:
    """No compiler and no downloader waits for an intruder."""
    found = docker.run(
        "--entrypoint", "sh", "larp-cli", "-c", f"ls /opt/larp/bin/{program}", check=False
    )

    assert found.returncode != 0


def test_production_without_its_settings_is_told_and_ends(docker: Docker) -> None:
    """The default is production, which wants a URL and a key."""
    ended = docker.run("larp-cli", check=False)

    assert ended.returncode == 4
    assert "DATABASE_URL" in ended.stderr
    assert "SECRET_KEY" in ended.stderr


def test_its_history_holds_no_secret(docker: Docker) -> None:
    """Neither a password nor an index of whoever built it is in a layer's command."""
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "larp-cli").stdout
    ours = [line for line in history.splitlines() if "larp" in line]

    assert ours
    assert not [line for line in ours if "index-url" in line or "password" in line.lower()]


def test_it_can_do_everything_without_a_checkout(docker: Docker) -> None:
    """The revisions are packed in it."""
    told = docker.run(
        "--network", "none", "-e", "ENVIRONMENT=development",
        "-e", "DATABASE_URL=postgresql://x@127.0.0.1:1/x", "larp-cli", "serve", "--timeout", "1",
        check=False,
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert "serving on" in told.stdout
