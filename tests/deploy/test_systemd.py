"""The units: their settings are settings, and systemd, where it is installed, takes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.settings import Settings
from tests.conftest import ROOT
from tests.deploy.test_secrets import NAMES

DIRECTORY = ROOT / "deploy" / "systemd"
SERVE = DIRECTORY / "larp-serve.service"
MIGRATE = DIRECTORY / "larp-migrate.service"
SECONDS = {"": 1, "min": 60, "h": 3600}

each_unit = pytest.mark.parametrize("unit", (SERVE, MIGRATE), ids=lambda path: path.stem)


def values(path: Path, name: str) -> list[str]:
    """List what a unit assigns to a name."""
    return re.findall(rf"^{name}=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def seconds(path: Path, name: str) -> int:
    """Read a time in a unit."""
    (text,) = values(path, name)
    match = re.fullmatch(r"(\d+)(min|h|)", text)
    assert match is not None
    return int(match[1]) * SECONDS[match[2]]


def credentials(path: Path) -> set[str]:
    """List the secrets that a unit is given, each by the file of its name."""
    pairs = [value.split(":") for value in values(path, "LoadCredential")]
    assert all(file == f"/etc/larp/secrets/{name}" for name, file in pairs)
    return {name for name, _ in pairs}


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``systemd-analyze``."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


@each_unit
def test_what_a_unit_sets_is_a_setting(unit: Path) -> None:
    """Names in Environment= are those that larp reads."""
    names = {name for line in values(unit, "Environment") for name in re.findall(r"(\w+)=", line)}

    assert "SECRETS_DIR" in names
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_a_unit_gets_the_secrets_that_it_needs_and_no_other() -> None:
    """Only what migrates has the owner's URL."""
    common = {"database_url", "secret_key"}

    assert credentials(SERVE) == common | {"health_details_token"}
    assert credentials(MIGRATE) == common | {"database_migration_url"}
    assert credentials(SERVE) | credentials(MIGRATE) <= set(Settings.model_fields) & NAMES


def test_stopping_is_given_more_time_than_draining_takes() -> None:
    """Else systemd would kill what is about to end well."""
    (environment,) = values(SERVE, "Environment")
    drain = re.search(r"SERVE_DRAIN_SECONDS=(\d+)", environment)

    assert drain is not None
    assert seconds(SERVE, "TimeoutStopSec") > int(drain[1]) + 5
    assert seconds(MIGRATE, "TimeoutStopSec") >= 60


def test_a_migration_is_not_ended_before_its_own_timeouts() -> None:
    """It is given longer than waiting for server, mutex and one index together."""
    (command,) = values(MIGRATE, "ExecStart")
    wait = re.search(r"--wait (\d+)", command)
    defaults = {name: field.default for name, field in Settings.model_fields.items()}

    assert wait is not None
    longest = int(wait[1]) + defaults["migration_mutex_wait"]
    longest += defaults["migration_concurrently_timeout"]
    assert seconds(MIGRATE, "TimeoutStartSec") > longest


def test_a_server_with_a_wrong_setting_is_not_started_again() -> None:
    """It would end in the same way; stopped before it serves it has not failed."""
    (prevented,) = values(SERVE, "RestartPreventExitStatus")

    assert [int(status) for status in prevented.split()] == [
        ExitCode.USAGE,
        ExitCode.CONFIGURATION,
    ]
    assert values(SERVE, "SuccessExitStatus") == [str(int(ExitCode.TERMINATED))]


def test_the_server_starts_after_the_migration() -> None:
    """Where both are started together, as at boot."""
    assert MIGRATE.name in values(SERVE, "After")[0].split()
    assert values(MIGRATE, "Type") == ["oneshot"]


@each_unit
def test_systemd_takes_a_unit(unit: Path) -> None:
    """It finds nothing to complain about but the missing program."""
    done = analyze("verify", "--man=no", str(unit))
    complaints = [line for line in done.stderr.splitlines() if "larp-" in line]

    assert not [line for line in complaints if "/opt/larp/bin/larp" not in line], complaints


@each_unit
def test_a_unit_is_confined_by_what_both_share(unit: Path) -> None:
    """By systemd's own measure, of which 10 is the worst, and an account of its own."""
    assert values(unit, "DynamicUser") == ["yes"]
    done = analyze("security", "--offline=true", "--threshold=20", str(unit))

    assert done.returncode == 0, done.stdout
