"""Running revisions: one at a time, each committed with its line in the ledger.

Alembic's environment is entered once for all of them, and handed one step after another:
entering it for each would cost more than most revisions do. Between two steps the
transaction is ended and begun, as Alembic itself does around an ``autocommit_block``.
"""

from __future__ import annotations

import random
import select
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from larp_cli.database.catalogue import all_invalid_indexes
from larp_cli.database.errors import StatementTimeout, driver_error, translate
from larp_cli.errors import (
    ConfigurationError,
    DatabaseUnreachable,
    LarpError,
    Locked,
    MigrationFailed,
)
from larp_cli.migrations.ledger import Ledger, Run
from larp_cli.migrations.patience import Patience
from larp_cli.migrations.watch import Watch, named
from larp_cli.migrations.worker import Worker, driver_connection, open_worker
from larp_cli.redaction import Redactor
from larp_cli.results import AppliedRevision, Direction, RunOutcome

if TYPE_CHECKING:

    from alembic.runtime.migration import MigrationContext, MigrationStep
    from larp_cli.database.target import Database
    from larp_cli.migrations.project import Project
    from larp_cli.observer import Observer

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts at a locked table: doubled after each, up to the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One step of Alembic's with what is told and written down about it."""

    step: MigrationStep
    revision: str
    description: str
    file: Path | None


class Runner:
    """Runs steps on a database whose mutex is held."""

    def __init__(
        self,
        database: Database,
        project: Project,
        observer: Observer,
        *,
        mutex: psycopg.Connection,
        patience: Patience,
        **environment_options: Any,
    ) -> None:
        self._database = database
        self._project = project
        self._observer = observer
        self._mutex = mutex
        self._patience = patience
        self._environment_options = environment_options
        self._ledger = Ledger(database.bookkeeping_schema)
        self._applied: list[AppliedRevision] = []
        self._began = 0.0

    def run(self, work: Sequence[Work], direction: Direction) -> tuple[AppliedRevision, ...]:
        """Run the steps in order; each is committed before the next begins.

        Raises:
            Locked: A table stayed locked through all retries.
            DatabaseUnreachable: The server went away.
            MigrationFailed: A revision failed; the message says which are committed.
        """
        todo = deque(work)
        if todo:
            self._ledger.ensure(self._mutex)
            invalid = all_invalid_indexes(self._mutex)
            self._observer.started(_PHASES[direction], len(todo))
            try:
                self._run_all(todo, direction)
            except KeyboardInterrupt:
                self._tell_interruption(todo, direction)
                raise
            except Exception as error:
                raise self._failure(todo, direction, error, invalid) from error
            self._observer.finished("")
        return tuple(self._applied)

    def _run_all(self, todo: deque[Work], direction: Direction) -> None:
        patience = self._patience
        with open_worker(
            self._database, patience.timeouts, self._observer, wait=patience.mutex_wait
        ) as worker:
            pid = worker.driver.info.backend_pid
            with Watch(self._mutex, pid, self._observer, patience=patience.timeouts.lock) as watch:
                attempt = 0
                while todo:
                    left = len(todo)
                    try:
                        self._attempt(worker, todo, direction)
                    except Exception as error:
                        worker.rollback()
                        attempt = 1 if len(todo) < left else attempt + 1
                        locked = self._explained(error)
                        if not isinstance(locked, Locked):
                            raise
                        if attempt > patience.lock_retries:
                            raise _still_locked(locked, watch, attempt) from error
                        self._back_off(todo[0], attempt, watch)

    def _attempt(self, worker: Worker, todo: deque[Work], direction: Direction) -> None:
        """Enter the environment and run the steps, as far as they go."""
        confirmed_by_environment: list[Work] = []

        def steps(_heads: object, context: MigrationContext) -> Iterator[MigrationStep]:
            context.on_version_apply_callbacks += (
                lambda **_: self._record(context, todo[0], direction),
            )
            while todo:
                self._begin(worker, todo[0], last=len(todo) == 1)
                yield todo[0].step
                if context._in_external_transaction:
                    # env.py began the transaction, so only env.py can commit it.
                    confirmed_by_environment.append(todo[0])
                    return
                _commit(context)
                self._done(todo.popleft())

        connection = worker.connection
        self._project.run_environment(connection, steps, **self._environment_options)
        if connection.in_transaction():
            connection.rollback()
            if confirmed_by_environment:
                raise ConfigurationError(
                    f"the env.py of {self._project.config_file} leaves its transaction open,"
                    " so nothing was committed"
                )
        if confirmed_by_environment:
            self._done(todo.popleft())

    def _begin(self, worker: Worker, work: Work, *, last: bool) -> None:
        self._require_mutex()
        worker.begin(last=last)
        self._observer.progress(f"{work.revision} {work.description}", len(self._applied))
        self._began = time.monotonic()

    def _require_mutex(self) -> None:
        """Stop when the mutex is lost: another migrator may be at work by now.

        A connection that the server has closed has something to read, and asking it costs
        a round trip only then.
        """
        readable, _, _ = select.select([self._mutex.fileno()], [], [], 0)
        if readable:
            self._mutex.execute("SELECT")

    def _record(self, context: MigrationContext, work: Work, direction: Direction) -> None:
        """Write the run down in the transaction of the revision itself."""
        assert context.connection is not None
        run = Run(work.revision, direction, time.monotonic() - self._began, work.file)
        self._ledger.write(driver_connection(context.connection), run)

    def _done(self, work: Work) -> None:
        self._applied.append(
            AppliedRevision(
                revision=work.revision,
                description=work.description,
                seconds=time.monotonic() - self._began,
            )
        )

    def _back_off(self, work: Work, attempt: int, watch: Watch) -> None:
        """Let the application's queue drain before the next attempt."""
        pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.0)
        holders = f" held by {named(watch.blockers)}" if watch.blockers else ""
        self._observer.waiting(
            f"a lock{holders}; revision {work.revision} is tried again in {pause:.1f} s"
            f" ({attempt} of {self._patience.lock_retries})"
        )
        watch.forget()
        time.sleep(pause)

    def _explained(self, error: Exception) -> LarpError | None:
        original = driver_error(error)
        if original is not None:
            return translate(original, self._database.url)
        return error if isinstance(error, LarpError) else None

    def _failure(
        self,
        todo: deque[Work],
        direction: Direction,
        error: Exception,
        invalid_before: frozenset[str],
    ) -> LarpError:
        """Say which revision failed and why, what is committed, and what it left behind."""
        cause = self._explained(error)
        reason = cause.message if cause else f"{type(error).__name__}: {error}"
        work = todo[0]
        self._write_down(work, direction, RunOutcome.FAILED, reason)
        message = (
            f"revision {work.revision} ({work.description}) failed: {reason};"
            f" {self._committed()}{self._remains(invalid_before)}"
        )
        again = "larp db migrate" if direction is Direction.UP else "larp db rollback"
        if isinstance(cause, Locked):
            return Locked(message, hint=f"when the lock is free: {again}")
        if isinstance(cause, DatabaseUnreachable) and not isinstance(cause, StatementTimeout):
            return DatabaseUnreachable(message, hint=f"larp db wait && {again}")
        return MigrationFailed(message, hint=f"mend the revision or the data, then: {again}")

    def _tell_interruption(self, todo: deque[Work], direction: Direction) -> None:
        where = f"in revision {todo[0].revision}" if todo else "after the last revision"
        self._observer.note(f"stopped {where}; {self._committed()}")
        if todo:
            self._write_down(todo[0], direction, RunOutcome.INTERRUPTED, "interrupted")

    def _committed(self) -> str:
        revisions = ", ".join(item.revision for item in self._applied) or "none"
        return f"committed before it in this run: {revisions}"

    def _remains(self, invalid_before: frozenset[str]) -> str:
        """Name the invalid indexes that a failed CONCURRENTLY left behind."""
        try:
            left = sorted(all_invalid_indexes(self._mutex) - invalid_before)
        except psycopg.Error:
            return ""
        return f"; left invalid, and rebuilt by the next run: {', '.join(left)}" if left else ""

    def _write_down(
        self, work: Work, direction: Direction, outcome: RunOutcome, reason: str
    ) -> None:
        """Note a run that did not succeed, on the mutex's connection, if that still stands."""
        password = self._database.url.parameters.get("password", "")
        run = Run(
            work.revision,
            direction,
            time.monotonic() - self._began if self._began else 0.0,
            work.file,
            outcome,
            Redactor((password,)).redact(reason),
        )
        try:
            self._ledger.write(self._mutex, run)
        except psycopg.Error as error:
            self._observer.warning(f"the ledger could not be written: {type(error).__name__}")


_PHASES = {
    Direction.UP: "applying revisions",
    Direction.DOWN: "undoing revisions",
    Direction.STAMP: "stamping",
}


def _commit(context: MigrationContext) -> None:
    """End the revision's transaction, and begin the next one's.

    Where env.py asks for a transaction per migration Alembic has committed already, and
    there is none.
    """
    transaction: Any = context._transaction
    if transaction is not None and context.connection is not None:
        transaction.commit()
        context._transaction = context.connection.begin()


def _still_locked(locked: Locked, watch: Watch, attempts: int) -> Locked:
    holders = f"; last held by {named(watch.blockers)}" if watch.blockers else ""
    return Locked(f"{locked.message}, {attempts} times{holders}", hint=locked.hint)
