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
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from larp_cli.bookkeeping.ledger import Ledger, Run
from larp_cli.errors import ConfigurationError, LarpError, Locked, Stopped, causes_of
from larp_cli.migrations.alembic_api import commit_revision, commits_itself
from larp_cli.migrations.run.failure import StoppedRun, describe_error
from larp_cli.migrations.run.lock_monitor import LockMonitor
from larp_cli.migrations.run.session import Worker, open_worker
from larp_cli.migrations.version_table import closes_connection
from larp_cli.postgres.catalog import describe_sessions, find_all_invalid_indexes
from larp_cli.postgres.connection import hang_up
from larp_cli.postgres.errors import driver_error, translate
from larp_cli.results import AppliedRevision, Blocker, Direction, RunOutcome

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, MigrationStep

    from larp_cli.migrations.control import ControlSession
    from larp_cli.migrations.run.steps import Step
    from larp_cli.migrations.workspace import Workspace

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts at a locked table: doubled after each, up to the longest."""

NOT_LONG = "SELECT set_config('lock_timeout', '2000', false)"


class Runner:
    """Runs steps on a database whose mutex is held."""

    def __init__(
        self, control: ControlSession, workspace: Workspace, *, command: Callable[[int], str]
    ) -> None:
        """Take what is needed; ``command`` writes the command that runs so many steps more."""
        self._database = control.database
        self._project = control.project
        self._mutex = control.connection
        self._observer = workspace.observer
        self._timeouts = workspace.timeouts
        self._command = command
        self._ledger = Ledger(control.database.bookkeeping)
        self._applied: list[AppliedRevision] = []
        self._heads: tuple[str, ...] = ()
        self._partly = self._concurrently = False
        self._blockers: tuple[Blocker, ...] = ()
        self._began = 0.0

    def run(
        self, planned: Sequence[Step], direction: Direction, *, heads: tuple[str, ...]
    ) -> tuple[AppliedRevision, ...]:
        """Run the steps in order; each is committed before the next begins.

        ``heads`` are the stamped revisions from which the steps were planned.

        Raises:
            Locked: A table stayed locked through all retries.
            DatabaseUnreachable: The server went away.
            MigrationFailed: A revision failed; the message says which are committed.
        """
        todo = deque(planned)
        self._heads = heads
        if todo:
            self._ledger.ensure(self._mutex)
            invalid = find_all_invalid_indexes(self._mutex)
            self._observer.started(_PHASES[direction], len(todo))
            try:
                self._run_all(todo, direction)
            except KeyboardInterrupt as signal:
                raise self._interruption(self._stop(todo, direction, invalid)) from signal
            except Exception as error:
                raise self._failure(self._stop(todo, direction, invalid), error) from error
            self._observer.finished("")
            self._warn_of_invalid_indexes()
        return tuple(self._applied)

    def _run_all(self, todo: deque[Step], direction: Direction) -> None:
        with open_worker(self._database, self._timeouts, self._observer) as worker:
            pid = worker.backend_pid()
            with LockMonitor(
                self._mutex,
                pid,
                self._observer,
                lock_timeout=self._timeouts.lock,
                give_up=partial(hang_up, worker.driver),
            ) as watch:
                attempt = 0
                while todo:
                    left = len(todo)
                    try:
                        self._attempt(worker, todo, direction)
                        self._require_progress(len(todo) < left)
                    except BaseException as error:
                        self._partly = worker.partly_committed
                        self._blockers = watch.blockers
                        self._concurrently = worker.runs_concurrently
                        # Alembic's autocommit_block goes back into a transaction even then, on
                        # a connection that SQLAlchemy has given up: that error hides the signal.
                        for cause in causes_of(error):
                            if isinstance(cause, KeyboardInterrupt):
                                raise cause from None
                        if not isinstance(error, Exception):
                            raise
                        worker.rollback()
                        attempt = 1 if len(todo) < left else attempt + 1
                        locked = self._explained(error)
                        if not isinstance(locked, Locked) or self._partly:
                            raise
                        if attempt > self._timeouts.lock_retries:
                            raise _still_locked(locked, watch, attempt) from error
                        self._back_off(todo[0], attempt, watch)

    def _attempt(self, worker: Worker, todo: deque[Step], direction: Direction) -> None:
        """Enter the environment and run the steps, as far as they go."""
        confirmed_by_environment: list[Step] = []

        def steps(heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
            self._require_heads(heads)
            while todo:
                self._begin(worker, todo[0], last=len(todo) == 1)
                yield todo[0].alembic_step
                if commits_itself(context):
                    # env.py began the transaction, so only env.py can commit it.
                    confirmed_by_environment.append(todo[0])
                    return
                self._require_mutex()
                commit_revision(context)
                self._done(todo.popleft())

        def record(**_: Any) -> None:
            self._record(worker, todo[0], direction)

        connection = worker.connection
        self._project.run_environment(connection, steps, adjust=partial(_call_after_each, record))
        if connection.closed:
            raise closes_connection(self._project)
        if connection.in_transaction():
            connection.rollback()
            if confirmed_by_environment:
                raise ConfigurationError(
                    f"the env.py of {self._project.config_file} leaves its transaction open,"
                    " so nothing was committed",
                    hint="run the migrations inside context.begin_transaction() in env.py",
                )
        if confirmed_by_environment:
            self._done(todo.popleft())

    def _require_heads(self, heads: tuple[str, ...]) -> None:
        """Stop before anything runs when env.py sees another version table than we did."""
        if not self._applied and set(heads) != set(self._heads):
            raise ConfigurationError(
                f"the env.py of {self._project.config_file} finds the database at"
                f" {', '.join(heads) or 'base'}, larp at {', '.join(self._heads) or 'base'}",
                hint="name its place with version_table_schema in context.configure()",
            )

    def _require_progress(self, progress: bool) -> None:
        """Stop when the environment came back without an error and without having run a step."""
        if not progress:
            raise ConfigurationError(
                f"the env.py of {self._project.config_file} ran none of the revisions,"
                " or hid why one failed",
                hint="call context.run_migrations() in env.py, and do not catch its errors",
            )

    def _begin(self, worker: Worker, step: Step, *, last: bool) -> None:
        self._require_mutex()
        worker.begin(last=last)
        self._observer.progress(f"{step.revision} {step.description}", len(self._applied))
        self._began = time.monotonic()

    def _require_mutex(self) -> None:
        """Stop if the migration lock is lost: another migration may be running.

        A connection that the server has closed has something to read, and asking it costs
        a round trip only then.
        """
        readable, _, _ = select.select([self._mutex.fileno()], [], [], 0)
        if readable:
            self._mutex.execute("SELECT")

    def _record(self, worker: Worker, step: Step, direction: Direction) -> None:
        """Write the run down in the transaction of the revision itself."""
        run = Run(step.revision, direction, time.monotonic() - self._began, step.file)
        with worker.as_login_role() as connection:
            self._ledger.write(connection, run)

    def _done(self, step: Step) -> None:
        self._applied.append(
            AppliedRevision(
                revision=step.revision,
                description=step.description,
                seconds=time.monotonic() - self._began,
            )
        )

    def _back_off(self, step: Step, attempt: int, watch: LockMonitor) -> None:
        """Let the application's queue drain before the next attempt."""
        pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.0)
        holders = f" held by {describe_sessions(watch.blockers)}" if watch.blockers else ""
        self._observer.waiting(
            f"a lock{holders}; retrying revision {step.revision} in {pause:.1f} s"
            f" ({attempt} of {self._timeouts.lock_retries})"
        )
        watch.forget()
        time.sleep(pause)

    def _explained(self, error: Exception) -> LarpError | None:
        original = driver_error(error)
        if original is not None:
            return translate(original, self._database.url)
        return error if isinstance(error, LarpError) else None

    def _stop(
        self, todo: deque[Step], direction: Direction, invalid_before: frozenset[str]
    ) -> StoppedRun:
        """Gather what there is to say about a run that stopped."""
        try:
            left = sorted(find_all_invalid_indexes(self._mutex) - invalid_before)
        except (psycopg.Error, KeyboardInterrupt):  # a second signal: do without
            left = []
        return StoppedRun(
            step=todo[0] if todo else None,
            direction=direction,
            applied=tuple(self._applied),
            partly=self._partly,
            left_invalid=left,
            blockers=self._blockers,
            concurrently=self._concurrently,
            command=self._command(len(todo)),
        )

    def _failure(self, stop: StoppedRun, error: Exception) -> LarpError:
        """Note which revision failed and why, and say it."""
        cause = self._explained(error)
        reason = cause.message if cause else describe_error(error)
        noted = self._write_down(stop, RunOutcome.FAILED, reason)
        return stop.failure(cause, reason, noted=noted)

    def _interruption(self, stop: StoppedRun) -> Stopped:
        """Report and record where a signal stopped the run."""
        message = stop.interruption()
        with suppress(KeyboardInterrupt):  # the signal is raised again while this takes long
            self._observer.note(message)
            self._write_down(stop, RunOutcome.INTERRUPTED, "interrupted")
        return Stopped(message, changed=stop.changed)

    def _warn_of_invalid_indexes(self) -> None:
        """Name those that are invalid though all went well: written at each change, never read."""
        for name in sorted(find_all_invalid_indexes(self._mutex)):
            self._observer.warning(
                f"the index {name} is invalid; rebuild it: REINDEX INDEX CONCURRENTLY {name}"
                f" (or, if its name ends in _ccnew or _ccold: DROP INDEX CONCURRENTLY {name})"
            )

    def _write_down(self, stop: StoppedRun, outcome: RunOutcome, reason: str) -> bool:
        """Note a run that did not succeed, on the mutex's connection; False if it cannot be."""
        if stop.step is None:
            return True
        run = Run(
            stop.step.revision,
            stop.direction,
            time.monotonic() - self._began if self._began else 0.0,
            stop.step.file,
            outcome,
            self._database.redactor.redact(reason),
        )
        try:
            self._mutex.execute(NOT_LONG)  # the user who stopped larp waits
            self._ledger.write(self._mutex, run)
        except (psycopg.Error, KeyboardInterrupt) as error:
            self._observer.warning(f"the ledger could not be written: {type(error).__name__}")
            return False
        return True


_PHASES = {
    Direction.UP: "applying revisions",
    Direction.DOWN: "undoing revisions",
    Direction.STAMP: "stamping",
}


def _call_after_each(callback: Callable[..., None], options: dict[str, Any]) -> None:
    """Have Alembic call a function after each revision, and after what env.py wants called."""
    theirs = options.get("on_version_apply") or ()
    theirs = (theirs,) if callable(theirs) else tuple(theirs)
    options["on_version_apply"] = (*theirs, callback)


def _still_locked(locked: Locked, watch: LockMonitor, attempts: int) -> Locked:
    holders = f"; last held by {describe_sessions(watch.blockers)}" if watch.blockers else ""
    return Locked(f"{locked.message}, {attempts} times{holders}", hint=locked.hint)
