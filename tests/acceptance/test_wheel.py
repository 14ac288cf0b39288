"""A wheel installed anywhere, with no checkout near, can do everything."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from larp_cli import __version__
from larp_cli.errors import ExitCode
from tests.conftest import ROOT, Outcome
from tests.servers import unavailable


@dataclass(frozen=True)
class Installed:
    """An environment of its own that holds the wheel."""

    bin: Path
    home: Path

    def run(self, program: str, *arguments: str) -> Outcome:
        """Run a program of the environment, far from the checkout."""
        elsewhere = self.home / "elsewhere"
        elsewhere.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [self.bin / program, *arguments],
            cwd=elsewhere,
            env={"PATH": os.defpath, "HOME": str(self.home), "LARP_HOME": str(self.home / "larp")},
            capture_output=True,
            text=True,
            timeout=90,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without a network."""
    if importlib.util.find_spec("hatchling") is None:
        unavailable("hatchling, which builds the wheel, is not installed")
    directory = tmp_path_factory.mktemp("dist")
    arguments = ["--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-m", "build", *arguments], capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an empty environment, with the libraries of this one behind it."""
    directory = tmp_path_factory.mktemp("wheel")
    environment = directory / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60
    )
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=60
    )
    # A directory that a .pth names is searched, but its own .pth files, and with them the
    # editable install of the checkout, are not read.
    (libraries,) = environment.glob("lib/python*/site-packages")
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(environment / "bin", directory / "home")


def names_in(wheel: Path) -> set[str]:
    """List the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_is_named_after_the_distribution_and_its_version(wheel: Path) -> None:
    """It holds no compiled code, and fits every platform."""
    assert wheel.name == f"larp_cli-{__version__}-py3-none-any.whl"


def test_the_wheel_brings_the_revisions_along(wheel: Path) -> None:
    """alembic.ini, env.py, the template and every revision are in it."""
    scripts = {
        f"larp_cli/_packaged/{path.relative_to(ROOT)}"
        for path in [ROOT / "alembic.ini", *(ROOT / "alembic").rglob("*")]
        if path.suffix in (".ini", ".py", ".mako")
    }

    assert "larp_cli/_packaged/alembic/env.py" in scripts
    assert any("/versions/" in name for name in scripts)
    assert scripts <= names_in(wheel)


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: Path) -> None:
    """No tests, no docs, no caches; and nothing that would shadow the library alembic."""
    names = names_in(wheel)

    assert {name.partition("/")[0] for name in names} == {
        "larp_cli",
        f"larp_cli-{__version__}.dist-info",
    }
    assert "larp_cli/py.typed" in names
    assert f"larp_cli-{__version__}.dist-info/licenses/LICENSE" in names
    assert "larp_cli/_packaged/alembic/__init__.py" not in names
    assert not {name for name in names if "__pycache__" in name or "tests/" in name}


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    """Modules, pages and the OpenAPI document: no rule leaves one out."""
    package = ROOT / "larp_cli"
    files = {
        str(path.relative_to(ROOT))
        for path in [*package.rglob("*.py"), *package.glob("health/http/static/*")]
    }

    assert "larp_cli/health/http/static/openapi.json" in files
    assert files <= names_in(wheel)


def test_the_installed_package_comes_from_the_wheel(installed: Installed) -> None:
    """Otherwise this file would test the checkout."""
    program = "import larp_cli, alembic; print(larp_cli.__file__); print(alembic.__file__)"
    outcome = installed.run("python", "-c", program)

    ours, library = map(Path, outcome.stdout.splitlines())
    assert ours.is_relative_to(installed.bin.parent)
    assert not library.is_relative_to(ROOT / "alembic")


def test_the_script_of_the_wheel_tells_its_version(installed: Installed) -> None:
    """The entry point works, and so does the module."""
    by_script = installed.run("larp", "--version")
    by_module = installed.run("python", "-m", "larp_cli", "--version")

    assert by_script.stdout == by_module.stdout == f"larp {__version__}\n"


def test_the_wheel_initialises_a_database_with_no_checkout_near(installed: Installed) -> None:
    """From nothing to a database at head, on the embedded server, with the packed revisions."""
    made = installed.run("larp", "db", "init", "--json")
    status = installed.run("larp", "db", "status", "--json")

    assert made.exit_code == ExitCode.OK, made.stderr
    assert made.result["created_database"] is True
    assert status.exit_code == ExitCode.OK, status.stderr
    assert status.result["state"] == "at_head"
    assert status.result["server"]["embedded"] is True
    assert str(ROOT) not in json.dumps([made.document, status.document])
