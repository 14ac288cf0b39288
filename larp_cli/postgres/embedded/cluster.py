"""A database cluster: a data directory and its server."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from larp_cli.errors import CommandFailed, ConfigurationError
from larp_cli.observer import Observer, Silent
from larp_cli.postgres.embedded import account as accounts
from larp_cli.postgres.embedded import binaries, launch, sockets
from larp_cli.postgres.embedded.log import LINES, ServerLog
from larp_cli.postgres.embedded.postmaster import (
    SUPERUSER,
    Postmaster,
    is_alive,
    is_server,
    is_taken,
    read_postmaster,
)
from larp_cli.system import files
from larp_cli.system.signals import signals_deferred

POLL_SECONDS = 0.01
ORPHANS_SECONDS = 20.0
"""Seconds for the backends of a killed server to notice and exit."""
ABANDON_SECONDS = 10.0
DEFAULT_PORT = 5432
PASSING = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


class Cluster:
    """A database cluster in ``directory``: its ``data``, ``run`` (the socket) and ``server.log``.

    ``bin_directory`` contains the programs of any PostgreSQL; None means the wheel's.
    ``settings`` are passed to the server (``{"listen_addresses": "127.0.0.1"}``). By default it
    has no TCP port. ``timeout`` limits each operation, in seconds.

    Only one process at a time may start or stop a cluster; ``EmbeddedServer`` holds a lock for
    that. Everything in ``directory`` belongs to the server's account and is closed to others,
    because local connections need no password.
    """

    def __init__(
        self,
        directory: Path,
        bin_directory: Path | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        observer: Observer | None = None,
        timeout: float = 60,
    ) -> None:
        self.directory = directory.resolve()
        self.data_directory = self.directory / "data"
        self.log_file = self.directory / "server.log"
        self.settings = dict(settings or {})
        self.timeout = timeout
        self._bin_directory = bin_directory
        self._observer = observer or Silent()
        self._launched: int | None = None
        self._sockets: Path | None = None

    @cached_property
    def account(self) -> accounts.Account | None:
        """The account that the server runs as; None for ours."""
        return accounts.server_account(self.data_directory, self.directory, self.directory.parent)

    @cached_property
    def programs(self) -> Path:
        """Directory of the programs, which the account can reach."""
        programs = self._bin_directory or binaries.installation()
        if self.account is None or not accounts.blocking(programs, self.account):
            return programs
        if self._bin_directory is not None:
            accounts.open_the_way(programs, self.account, self._observer)
            return programs
        return binaries.copy_installation(programs, self.directory)

    @property
    def port(self) -> int:
        """Port of the server, which is also part of the socket's name."""
        return int(self.settings.get("port", DEFAULT_PORT))

    def prepare(self) -> None:
        """Create the directory, and let the server's account reach it.

        Raises:
            ConfigurationError: It cannot be created or reached.
        """
        account = self.account
        # Another process may create it at the same moment.
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account is not None:
            if self.directory.stat().st_uid == 0:
                accounts.give(self.directory, account)
            accounts.open_the_way(self.directory, account, self._observer)

    def initialise(self) -> bool:
        """Create the data directory if it is missing. Return whether it was created.

        initdb writes to a temporary name, which is renamed at the end: a killed process leaves
        no half-finished data. Unless ``fsync`` is off, the files are synced first.

        Raises:
            ConfigurationError: Other files are in its place, or initdb failed.
        """
        self.prepare()
        if (self.data_directory / "PG_VERSION").exists():
            return False
        if self.data_directory.exists() and any(self.data_directory.iterdir()):
            raise ConfigurationError(
                f"{self.data_directory} is not a PostgreSQL data directory, and it is not empty",
                hint=f"mv {shlex.quote(str(self.data_directory))} somewhere/else",
            )
        for leftover in self.directory.glob("data.initdb-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished = self.directory / f"data.initdb-{os.getpid()}"
        try:
            self._initdb(unfinished)
            files.move(unfinished, self.data_directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return True

    def start(self) -> bool:
        """Start the server and wait until it accepts connections; False if it ran already.

        Raises:
            ConfigurationError: The data directory is missing or of another major version.
            CommandFailed: It did not start. The message contains the end of its log.
        """
        if self.running():
            return False
        self._check_version()
        self._stop_unreachable()
        try:
            self._start_until(time.monotonic() + self.timeout, ServerLog(self.log_file))
        except BaseException:
            self._abandon()
            raise
        self._launched = self._sockets = None
        return True

    def stop(self) -> bool:
        """Stop the server and end its sessions, like ``pg_ctl stop -m fast``.

        Return False if no server ran.

        Raises:
            CommandFailed: It did not stop in time.
        """
        postmaster = read_postmaster(self.data_directory)
        if postmaster is None or not is_server(postmaster.pid, self.data_directory):
            if postmaster and postmaster.answers():
                raise CommandFailed(
                    f"the PostgreSQL in {self.directory} answers, but its process "
                    f"{postmaster.pid} is not visible here",
                    hint="stop it in the container that started it",
                )
            return False
        with suppress(ProcessLookupError):
            os.kill(postmaster.pid, signal.SIGINT)
        if not self._ended(postmaster.pid, self.timeout):
            raise CommandFailed(
                f"the PostgreSQL in {self.directory} (process {postmaster.pid}) did not stop "
                f"within {self.timeout:g} s",
                hint=f"see {self.log_file}",
            )
        self._clear_socket(postmaster)
        return True

    def running(self) -> bool:
        """Return whether the server accepts connections. Opens a socket, starts no process."""
        return self.postmaster() is not None

    def postmaster(self) -> Postmaster | None:
        """Return the running server's facts; None if it does not accept connections."""
        postmaster = read_postmaster(self.data_directory)
        return postmaster if postmaster and postmaster.answers() else None

    def url(self, database: str = SUPERUSER) -> str:
        """Return a libpq URL of ``database``.

        Raises:
            CommandFailed: The server is not running.
        """
        postmaster = self.postmaster()
        if postmaster is None:
            raise CommandFailed(f"the PostgreSQL in {self.directory} is not running")
        return postmaster.url(database)

    def _initdb(self, target: Path) -> None:
        command = [str(self.programs / "initdb"), "-D", str(target), "-U", SUPERUSER]
        command += ["--encoding=UTF8", "--auth-local=trust", "--auth-host=scram-sha-256"]
        if self._program_version() >= 17:
            # Sorts the same on every system, and an upgrade of the system never breaks an index.
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            command += ["--locale=C.UTF-8"]
        if self.settings.get("fsync") == "off":
            command += ["--no-sync"]
        outcome = self._run(command)
        if outcome.returncode != 0:
            lines = "\n".join(outcome.stdout.strip().splitlines()[-LINES:])
            raise ConfigurationError(
                f"cannot create a PostgreSQL data directory in {self.directory}: {lines}",
                hint="free disk space, or set LARP_HOME to another directory",
            )

    def _program_version(self) -> int:
        version = self._run([str(self.programs / "postgres"), "--version"]).stdout
        found = re.search(r"\(PostgreSQL\) (\d+)", version)
        if found is None:
            raise ConfigurationError(
                f"{self.programs / 'postgres'} does not run: {version.strip()}",
                hint="pip install --force-reinstall 'larp-cli[embedded]'",
            )
        return int(found[1])

    def _check_version(self) -> None:
        try:
            data = (self.data_directory / "PG_VERSION").read_text().strip()
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"{self.data_directory} is not a PostgreSQL data directory"
            ) from error
        program = str(self._program_version())
        if data != program:
            raise ConfigurationError(
                f"the data in {self.data_directory} belongs to PostgreSQL {data}, "
                f"but the installed server is PostgreSQL {program}",
                hint=f"dump it with PostgreSQL {data}, or start over: "
                f"mv {shlex.quote(str(self.data_directory))} somewhere/else",
            )

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return launch.run_server_program(command, self.account, timeout=self.timeout)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"{command[0]} did not finish within {self.timeout:g} s") from error
        except OSError as error:
            raise self._cannot_run(command[0], error) from error

    def _cannot_run(self, program: str, error: OSError) -> ConfigurationError:
        who = f" as '{self.account.name}'" if self.account else ""
        return ConfigurationError(
            f"cannot run {program}{who}: {error.strerror}",
            hint="run larp as an ordinary user, or set DATABASE_URL" if self.account else None,
        )

    def _start_until(self, deadline: float, log: ServerLog) -> None:
        orphans = min(deadline, time.monotonic() + ORPHANS_SECONDS)
        while not self.running():
            if not self._is_coming():
                passing = any(text in log.tail() for text in PASSING)
                if self._launched is not None and not (passing and time.monotonic() < orphans):
                    raise self._start_failed("did not start", log)
                self._clear_stale()
                self._launch(log)
            if time.monotonic() > deadline:
                raise self._start_failed(f"was not ready within {self.timeout:g} s", log)
            time.sleep(POLL_SECONDS)

    def _is_coming(self) -> bool:
        """Return whether a server is starting: ours, or one that a killed process launched."""
        if self._launched is not None and is_alive(self._launched):
            return True
        postmaster = read_postmaster(self.data_directory)
        return postmaster is not None and is_server(postmaster.pid, self.data_directory)

    def _clear_stale(self) -> None:
        """Remove the postmaster.pid of a dead server if another process has its pid.

        PostgreSQL would take that process for a live server. It may be another program, or a
        zombie that a container's first process never reaps. PostgreSQL handles a free pid
        itself. Orphaned backends stay protected without the file: PostgreSQL also finds their
        shared memory by the data directory's inode (sysv_shmem.c).
        """
        postmaster = read_postmaster(self.data_directory)
        if postmaster is None:
            return
        if postmaster.pid == 0 or is_taken(postmaster.pid):
            (self.data_directory / "postmaster.pid").unlink(missing_ok=True)
        self._clear_socket(postmaster)

    def _clear_socket(self, postmaster: Postmaster) -> None:
        directory = Path(postmaster.socket_directory)
        if directory == self.directory / "run" or directory.name.startswith(sockets.PREFIX):
            sockets.clear(directory, postmaster.port)

    def _launch(self, log: ServerLog) -> None:
        command = [str(self.programs / "postgres"), "-D", str(self.data_directory)]
        settings = {"listen_addresses": ""} | self.settings
        if "unix_socket_directories" not in settings:
            self._sockets = self._sockets or sockets.socket_directory(
                self.directory / "run", self.port, self.account
            )
            settings["unix_socket_directories"] = sockets.quoted(self._sockets)
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with log.opened(self.account) as descriptor, signals_deferred():
            try:
                self._launched = launch.detach(command, self.account, descriptor)
            except subprocess.SubprocessError as error:
                raise CommandFailed(f"cannot launch {command[0]}: {error}") from error
            except OSError as error:
                raise self._cannot_run(command[0], error) from error

    def _abandon(self) -> None:
        """End a server that failed to start, so that it does not keep running unowned."""
        launched, self._launched = self._launched, None
        deadline = time.monotonic() + ABANDON_SECONDS
        while launched is not None and is_alive(launched) and time.monotonic() < deadline:
            # Before it installs handlers only SIGTERM ends it. Later SIGINT is quicker.
            for number in (signal.SIGTERM, signal.SIGINT):
                with suppress(ProcessLookupError):
                    os.kill(launched, number)
            time.sleep(POLL_SECONDS)
        directory, self._sockets = self._sockets, None
        if directory is not None:
            sockets.discard(directory)

    def _stop_unreachable(self) -> None:
        """Stop a server whose socket is gone, for example because something cleaned /tmp."""
        postmaster = read_postmaster(self.data_directory)
        if postmaster and postmaster.socket_directory and not postmaster.socket_path.exists():
            self.stop()

    def _ended(self, pid: int, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while is_server(pid, self.data_directory):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS / 2)
        return True

    def _start_failed(self, what: str, log: ServerLog) -> CommandFailed:
        return CommandFailed(
            f"the PostgreSQL in {self.directory} {what}: {log.tail()}".rstrip(": "),
            hint=f"see {self.log_file}",
        )
