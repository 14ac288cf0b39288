"""The unit: its settings are settings, and systemd, where it is installed, takes it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from larp_cli.settings import Settings
from tests.conftest import ROOT

UNIT = ROOT / "deploy" / "systemd" / "larp-serve.service"


def test_what_the_unit_sets_is_a_setting() -> None:
    """Names in Environment= and of credentials are those that larp reads."""
    text = UNIT.read_text(encoding="utf-8")
    names = re.findall(r"(?<=[ =])([A-Z_]+)=", text)
    names += re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE)

    assert names
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_stopping_is_given_more_time_than_draining_takes() -> None:
    """Else systemd would kill what is about to end well."""
    text = UNIT.read_text(encoding="utf-8")
    drain = re.search(r"SERVE_DRAIN_SECONDS=(\d+)", text)
    stop = re.search(r"TimeoutStopSec=(\d+)", text)

    assert drain is not None
    assert stop is not None
    assert int(stop[1]) > int(drain[1]) + 5


def test_systemd_takes_the_unit() -> None:
    """systemd-analyze finds nothing to complain about but the missing program."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    done = subprocess.run(
        [program, "verify", "--man=no", str(UNIT)], capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]

    assert not [line for line in complaints if "/opt/larp/bin/larp" not in line], complaints
