"""A report on everything that can be found out.

Sections are independent: one that fails says why, and the report continues. So it is useful when
everything is broken, which is when people need it.
"""

from __future__ import annotations

import math
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
from larp_cli.system.deadlines import Alarm

if TYPE_CHECKING:
    from larp_cli.health.target import HealthTarget
    from larp_cli.migrations.project import Project
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Database, Databases

SECTION_DEADLINE, REMINDER = 20.0, 2.0
"""Seconds for a section, and between repeated signals. A server or pooler may accept the
connection and never answer, and an env.py may hang."""


class _Late(KeyboardInterrupt):
    """A section takes too long. A KeyboardInterrupt, because libraries do not catch it."""


class Doctor:
    """Builds the report. A failure becomes part of the report and is never raised.

    It tries an unreachable database once per URL, so that the connect timeout is not spent
    again in every section.
    """

    def __init__(
        self,
        *,
        home: Callable[[], Path],
        databases: Callable[[], Databases],
        project: Callable[[], Project],
        target: Callable[[], HealthTarget],
        observer: Observer,
        timeout: float | None,
    ) -> None:
        """Store the sources of the report. Each callable may fail when it is called.

        Args:
            home: Returns LARP_HOME.
            databases: Returns the database for each URL.
            project: Returns the Alembic project.
            target: Returns the target of the health checks.
            observer: Gets the title of each section.
            timeout: Seconds for the whole report; None applies only the deadline per section.
        """
        self._home = home
        self._databases = databases
        self._project = project
        self._target = target
        self._observer = observer
        self._end = time.monotonic() + (timeout or math.inf)

    def diagnose(self) -> Diagnosis:
        """Build every section of the report."""
        first = (
            self._section("versions", facts.collect_versions),
            self._section("machine", lambda: facts.collect_machine(self._home)),
            self._section("settings", facts.collect_settings),
        )
        connections = self._connections()

        def database() -> Database:
            if all(section.problem is not None for section in connections):
                raise CommandFailed("no connection, see above")
            # Prefer the connection for migrations; fall back to the application's.
            broken = connections[-1].problem is not None
            return self._databases().application if broken else self._databases().migration

        return Diagnosis(
            sections=(
                *first,
                *connections,
                self._section("server settings", lambda: facts.collect_server_settings(database())),
                self._section("schema", lambda: facts.collect_schema(database(), self._project())),
                self._section("health", lambda: facts.collect_health(self._target())),
            )
        )

    def _connections(self) -> tuple[Section, ...]:
        """Try each URL. Migrations may have their own."""
        application = self._section(
            "connection", lambda: facts.collect_connection(self._databases().application)
        )
        if not application.facts:  # the URL itself is unknown
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
        """Collect the facts of a section. What stops the collection becomes its problem."""
        found: list[Fact] = []
        problem = hint = None
        seconds = min(SECTION_DEADLINE, self._end - time.monotonic())
        if seconds <= 0:
            return Section(title=title, facts=(), problem="the time ran out before this section")
        self._observer.started(title)
        try:
            with _bounded(seconds):
                for name, value in find():
                    text = ("no", "yes")[value] if isinstance(value, bool) else str(value)
                    found.append(Fact(name=name, value=text))
        except _Late:
            problem = f"not finished within {seconds:.3g} s"
        except SettingsInvalid:
            problem = "the settings are invalid, see above"
        except LarpError as error:
            problem, hint = error.message, error.hint
        except Exception as error:  # noqa: B902 - a report of what is broken must not break
            problem = f"{type(error).__name__}: {error}"
        self._observer.finished("")
        return Section(title=title, facts=tuple(found), problem=problem, hint=hint)


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Raise `_Late` when the time is up, and again until the block ends."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise _Late

    with Alarm() as alarm:
        alarm.ring(late, after=seconds, every=REMINDER)
        yield
