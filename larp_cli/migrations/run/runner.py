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
    """Runs steps in one direction, on a database whose migration lock is held."""

    def __init__(
        self,
        control: ControlSession,
        workspace: Workspace,
        direction: Direction,
        *,
        command: Callable[[int], str],
    ) -> None:
        """Store the context; ``command`` writes the command that runs so many more steps."""
        self._database = control.database
        self._project = control.project
        self._mutex = control.connection
        self._observer = workspace.observer
        self._timeouts = workspace.timeouts
        self._direction = direction
        self._command = command
        self._ledger = Ledger(control.database.bookkeeping)
        self._todo: deque[Step] = deque()
        self._applied: list[AppliedRevision] = []
        self._heads: tuple[str, ...] = ()
        self._partly = self._concurrently = False
        self._blockers: tuple[Blocker, ...] = ()
        self._began = 0.0

    def run(
        self, planned: Sequence[Step], *, heads: tuple[str, ...]
    ) -> tuple[AppliedRevision, ...]:
        """Run the steps in order. Each is committed before the next one starts.

        ``heads`` are the current revisions, from which the steps were planned.

        Raises:
            Locked: A table stayed locked through all retries.
            DatabaseUnreachable: The connection to the server was lost.
            MigrationFailed: A revision failed. The message says which are committed.
            Stopped: A signal arrived.
        """
        self._todo, self._heads = deque(planned), heads
        if not planned:
            return ()
        self._ledger.ensure(self._mutex)
        invalid = find_all_invalid_indexes(self._mutex)
        self._observer.started(_PHASES[self._direction], len(planned))
        try:
            self._run_all()
        except KeyboardInterrupt as signal:
            raise self._report_interruption(self._describe_stop(invalid)) from signal
        except Exception as error:
            raise self._report_failure(self._describe_stop(invalid), error) from error
        self._observer.finished("")
        self._warn_of_invalid_indexes()
        return tuple(self._applied)

    def _run_all(self) -> None:
        """Run what is left to do, and try again where a table is locked."""
        attempt = 0
        with (
            open_worker(self._database, self._timeouts, self._observer) as worker,
            self._monitor(worker) as monitor,
        ):
            while self._todo:
                left = len(self._todo)
                try:
                    self._attempt(worker)
                    self._require_progress(len(self._todo) < left)
                except BaseException as error:
                    self._keep_state(worker, monitor)
                    _raise_signal_behind(error)
                    if not isinstance(error, Exception):
                        raise
                    worker.rollback()
                    attempt = 1 if len(self._todo) < left else attempt + 1
                    self._require_retry(error, attempt)
                    self._back_off(attempt)
                    monitor.forget()

    def _monitor(self, worker: Worker) -> LockMonitor:
        return LockMonitor(
            self._mutex,
            worker.backend_pid(),
            self._observer,
            lock_timeout=self._timeouts.lock,
            give_up=partial(hang_up, worker.driver),
        )

    def _keep_state(self, worker: Worker, monitor: LockMonitor) -> None:
        """Keep what is known about the revision in flight, before it is rolled back."""
        self._partly = worker.partly_committed
        self._concurrently = worker.runs_concurrently
        self._blockers = monitor.blockers

    def _require_retry(self, error: Exception, attempt: int) -> None:
        """Raise the error again unless a table was locked and may be free at the next attempt."""
        locked = self._explain(error)
        if not isinstance(locked, Locked) or self._partly:
            raise error
        if attempt > self._timeouts.lock_retries:
            holders = f"; last held by {self._name_blockers()}" if self._blockers else ""
            message = f"{locked.message}, {attempt} times{holders}"
            raise Locked(message, hint=locked.hint) from error

    def _attempt(self, worker: Worker) -> None:
        """Enter the environment and run the steps, as far as they go."""
        confirmed_by_environment: list[Step] = []
        todo = self._todo

        def steps(heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
            self._require_heads(heads)
            while todo:
                self._begin(worker)
                yield todo[0].alembic_step
                if commits_itself(context):
                    # env.py began the transaction, so only env.py can commit it.
                    confirmed_by_environment.append(todo[0])
                    return
                self._require_mutex()
                commit_revision(context)
                self._finish()

        connection = worker.connection
        record = partial(self._record, worker)
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
            self._finish()

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

    def _begin(self, worker: Worker) -> None:
        step = self._todo[0]
        self._require_mutex()
        worker.begin(last=len(self._todo) == 1)
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

    def _record(self, worker: Worker, **_: Any) -> None:
        """Write the revision to the ledger, in the transaction of the revision itself."""
        step = self._todo[0]
        run = Run(step.revision, self._direction, time.monotonic() - self._began, step.file)
        with worker.as_login_role() as connection:
            self._ledger.write(connection, run)

    def _finish(self) -> None:
        step = self._todo.popleft()
        self._applied.append(
            AppliedRevision(
                revision=step.revision,
                description=step.description,
                seconds=time.monotonic() - self._began,
            )
        )

    def _back_off(self, attempt: int) -> None:
        """Let the application's queue drain before the next attempt."""
        pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.0)
        holders = f" held by {self._name_blockers()}" if self._blockers else ""
        self._observer.waiting(
            f"a lock{holders}; retrying revision {self._todo[0].revision} in {pause:.1f} s"
            f" ({attempt} of {self._timeouts.lock_retries})"
        )
        time.sleep(pause)

    def _name_blockers(self) -> str:
        return describe_sessions(self._blockers)

    def _explain(self, error: Exception) -> LarpError | None:
        """Translate an error into one of larp's; None if larp cannot explain it."""
        original = driver_error(error)
        if original is not None:
            return translate(original, self._database.url)
        return error if isinstance(error, LarpError) else None

    def _describe_stop(self, invalid_before: frozenset[str]) -> StoppedRun:
        """Collect what is known about a run that stopped."""
        try:
            left = sorted(find_all_invalid_indexes(self._mutex) - invalid_before)
        except (psycopg.Error, KeyboardInterrupt):  # a second signal: do without
            left = []
        return StoppedRun(
            step=self._todo[0] if self._todo else None,
            direction=self._direction,
            applied=tuple(self._applied),
            partly=self._partly,
            left_invalid=left,
            blockers=self._blockers,
            concurrently=self._concurrently,
            command=self._command(len(self._todo)),
        )

    def _report_failure(self, stop: StoppedRun, error: Exception) -> LarpError:
        """Record which revision failed and why, and return the error that says so."""
        cause = self._explain(error)
        reason = cause.message if cause else describe_error(error)
        noted = self._record_stop(stop, RunOutcome.FAILED, reason)
        return stop.failure(cause, reason, noted=noted)

    def _report_interruption(self, stop: StoppedRun) -> Stopped:
        """Report and record where a signal stopped the run."""
        message = stop.interruption()
        with suppress(KeyboardInterrupt):  # the signal is raised again if this takes long
            self._observer.note(message)
            self._record_stop(stop, RunOutcome.INTERRUPTED, "interrupted")
        return Stopped(message, changed=stop.changed)

    def _warn_of_invalid_indexes(self) -> None:
        """Name those that are invalid though all went well: written at each change, never read."""
        for name in sorted(find_all_invalid_indexes(self._mutex)):
            self._observer.warning(
                f"the index {name} is invalid; rebuild it: REINDEX INDEX CONCURRENTLY {name}"
                f" (or, if its name ends in _ccnew or _ccold: DROP INDEX CONCURRENTLY {name})"
            )

    def _record_stop(self, stop: StoppedRun, outcome: RunOutcome, reason: str) -> bool:
        """Write a run that did not succeed to the ledger; False if that is not possible."""
        if stop.step is None:
            return True
        run = Run(
            stop.step.revision,
            self._direction,
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


def _raise_signal_behind(error: BaseException) -> None:
    """Raise the signal that another error hides, if there is one.

    Alembic's ``autocommit_block`` returns to a transaction even after a signal. SQLAlchemy has
    given up the connection by then, so that fails with an error of its own.
    """
    for cause in causes_of(error):
        if isinstance(cause, KeyboardInterrupt):
            raise cause from None
