"""The Dockerfiles as they are written; `tests/containers` builds them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from larp_cli import __version__
from tests.conftest import ROOT

HADOLINT = Path(sys.executable).with_name("hadolint")
"""It comes with the development requirements."""
DOCKERFILES = (ROOT / "Dockerfile", ROOT / "deploy" / "pgbouncer" / "Dockerfile")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    """Where a rule is set aside, the file says why."""
    done = subprocess.run([HADOLINT, path], capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.returncode) == ("", 0)


def test_the_version_in_the_label_is_that_of_the_package() -> None:
    """A label cannot read it from the package, so this holds the two together."""
    text = DOCKERFILES[0].read_text(encoding="utf-8")

    assert re.findall(r"^ARG VERSION=(.+)$", text, re.MULTILINE) == [__version__]


def test_the_last_stage_is_the_server() -> None:
    """A plain `docker build .` gives the small image; the tools are asked for by name."""
    stages = re.split(r"^FROM ", DOCKERFILES[0].read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert 'CMD ["serve"]' in stages[-1]
    assert "apt-get" not in stages[-1]
    assert stages[-2].startswith("runtime AS tools\n")
