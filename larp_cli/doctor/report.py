"""A report of everything that matters, made of what can be found out.

Each section is on its own: where one fails it says why, and the next one is made. So it is
of use when everything is broken, which is when it is asked for.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from larp_cli.doctor import facts
from larp_cli.doctor.facts import NamedValues
from larp_cli.errors import CommandFailed, LarpError
from larp_cli.results import Diagnosis, Fact, Section
from larp_cli.settings import SettingsInvalid

if TYPE_CHECKING:
    from larp_cli.health.subject import Subject
    from larp_cli.migrations.project import Project
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database, Databases

SECTION_DEADLINE, REMINDER = 20.0, 2.0
"""Seconds for a section, and between two reminders: a server or a pooler may let us in and
then say nothing, and somebody's env.py may hang."""


class _Late(KeyboardInterrupt):
    """A section takes too long. A KeyboardInterrupt, as every library lets that through."""


class Doctor:
    """Finds out what can be found out; nothing is raised for what cannot.

    A database that cannot be reached is tried once for each URL, so that one in a black hole
    costs its connect timeout, and not that of every section.
    """

    def __init__(
        self,
        *,
        home: Callable[[], Path],
        databases: Callable[[], Databases],
        project: Callable[[], Project],
        subject: Callable[[], Subject],
        observer: Observer,
        timeout: float | None,
    ) -> None:
        """Take what there is to look at, each of which may fail when it is called.

        Args:
            home: Gives LARP_HOME.
            databases: Gives the database by each of its URLs.
            project: Gives the Alembic project.
            subject: Gives what health checks look at.
            observer: Told what is being found out.
            timeout: Seconds for the whole report; None leaves each section its own deadline.
        """
        self._home = home
        self._databases = databases
        self._project = project
        self._subject = subject
        self._observer = observer
        self._end = time.monotonic() + (timeout or math.inf)

    def diagnose(self) -> Diagnosis:
        """Make every section of the report."""
        first = (
            self._section("versions", facts.collect_versions),
            self._section("machine", lambda: facts.collect_machine(self._home)),
            self._section("settings", facts.collect_settings),
        )
        ways = self._ways()

        def database() -> Database:
            if all(way.problem is not None for way in ways):
                raise CommandFailed("there is no connection, see above")
            # The way of migrations, or the other one where that is broken.
            broken = ways[-1].problem is not None
            return self._databases().application if broken else self._databases().migration

        return Diagnosis(
            sections=(
                *first,
                *ways,
                self._section("server settings", lambda: facts.collect_server_settings(database())),
                self._section("schema", lambda: facts.collect_schema(database(), self._project())),
                self._section("health", lambda: facts.collect_health(self._subject())),
            )
        )

    def _ways(self) -> tuple[Section, ...]:
        """Try each way to the database; migrations may have one of their own."""
        application = self._section(
            "connection", lambda: facts.collect_connection(self._databases().application)
        )
        if not application.facts:  # not even which database is meant is known
            return (application,)
        migration = self._databases().migration
        if migration is self._databases().application:
            return (application,)
        return (
            application,
            self._section(
                "connection for migrations",
                lambda: chain(
                    facts.collect_connection(migration),
                    facts.collect_same_database(self._databases()),
                ),
            ),
        )

    def _section(self, title: str, find: Callable[[], NamedValues]) -> Section:
        """Gather facts for so long as they come; what stops them is a part of the report."""
        found: list[Fact] = []
        problem = hint = None
        seconds = min(SECTION_DEADLINE, self._end - time.monotonic())
        if seconds <= 0:
            return Section(title=title, facts=(), problem="no time was left for it")
        self._observer.started(title)
        try:
            with _bounded(seconds):
                for name, value in find():
                    told = ("no", "yes")[value] if isinstance(value, bool) else str(value)
                    found.append(Fact(name=name, value=told))
        except _Late:
            problem = f"not finished within {seconds:.3g} s"
        except SettingsInvalid:
            problem = "the settings are wrong, see above"
        except LarpError as error:
            problem, hint = error.message, error.hint
        except Exception as error:  # noqa: B902 - a report of what is broken must not break
            problem = f"{type(error).__name__}: {error}"
        self._observer.finished("")
        return Section(title=title, facts=tuple(found), problem=problem, hint=hint)


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Raise `_Late` when the time is up, and again until it is heard."""
    over = False

    def late(_number: int, _frame: FrameType | None) -> None:
        if not over:
            raise _Late

    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, REMINDER)
    try:
        yield
    finally:
        over = True
        if signal.getsignal(signal.SIGALRM) is late:  # else a signal has come, and insists
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, *timer)
