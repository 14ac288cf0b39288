"""Run the health checks within a deadline, on a connection that is kept between runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from larp_cli.health.checks import CHECKS, NAMES, CheckContext, Observation, check_configuration
from larp_cli.health.target import HealthTarget
from larp_cli.postgres.connection import TIMEOUTS, Connection, LastHost, connect, hang_up
from larp_cli.postgres.errors import DatabaseFailure, ServerUnreachable, StatementTimeout, translate
from larp_cli.results.health import CheckResult, CheckStatus, HealthReport, Reason

log = logging.getLogger("larp.health")

APPLICATION_NAME = "larp-health"

LOCAL_TIMEOUTS = """
SELECT set_config('lock_timeout', %(lock)s, true),
       set_config('statement_timeout', %(statement)s, true)
"""
"""For a connection through a pooler: these settings end with the transaction."""

LOCK_SHARE, STATEMENT_SHARE = 0.1, 0.5
"""Shares of the deadline. A run may meet several tables that a migration has locked, and must not
mistake them for a server that does not answer."""


@dataclass(slots=True)
class _Run:
    """A run of the checks, on its own thread."""

    results: list[CheckResult] = field(default_factory=list)
    context: CheckContext | None = None
    failure: DatabaseFailure | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Inspector:
    """Runs the checks repeatedly on one connection.

    Name lookup and a frozen server cannot be interrupted, so a run that hangs is abandoned. No
    other run starts until it ends, so there is never a second connection.
    """

    def __init__(self, target: HealthTarget, *, deadline: float) -> None:
        self._target = target
        self._deadline = deadline
        self._connection: Connection | None = None
        self._last_host = LastHost()
        self._abandoned: _Run | None = None
        self._is_pooled = False
        self._lends_statements = False

    def inspect(self, names: tuple[str, ...] = NAMES) -> HealthReport:
        """Run the named checks, and always the first one, within the deadline.

        Never raises: the report contains every failure.
        """
        began, at = time.monotonic(), datetime.now(UTC)
        end = began + self._deadline
        results: list[CheckResult] = []
        context: CheckContext | None = None
        if set(names) & set(CHECKS):
            results, context = self._run_within(names, end)
        if "configuration" in names:
            results.append(_make_result("configuration", check_configuration(self._target), 0.0))
        names_run = {result.name for result in results}
        return HealthReport(
            status=max((result.status for result in results), key=_rank),
            checked_at=at,
            seconds=time.monotonic() - began,
            checks=tuple(results),
            skipped=tuple(name for name in NAMES if name in names and name not in names_run),
            current=context.current if context else None,
            pending=context.pending if context else None,
        )

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run_within(
        self, names: tuple[str, ...], end: float
    ) -> tuple[list[CheckResult], CheckContext | None]:
        earlier = self._abandoned
        if earlier is not None and not earlier.done.wait(max(0.0, end - time.monotonic())):
            return [self._report_timeout()], None
        run = _Run()
        thread = threading.Thread(
            target=self._run_checks, args=(run, names, end), name="larp-checks", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread to spare right now
            log.warning("a check could not be started: %s", error)
            failure = ServerUnreachable.at(self._target.url, detail=str(error))
            return [self._report_failure(failure)], None
        self._abandoned = run
        if not run.done.wait(max(0.0, end - time.monotonic())):
            self._hang_up()
            return [self._report_timeout()], None
        self._abandoned = None
        if run.failure is not None:
            self._connection = None
            return [*run.results, self._report_failure(run.failure)], run.context
        return run.results, run.context

    def _run_checks(self, run: _Run, names: tuple[str, ...], end: float) -> None:
        connection: Connection | None = None
        try:
            connection = self._reuse_connection() or self._connect(end)
            self._connection = connection
            run.context = context = CheckContext(self._target, connection)
            for name, check in CHECKS.items():
                if name in names or name in ("database", "schema"):
                    result = self._run_check(name, check, context)
                    if name in names or name == "database":
                        run.results.append(result)
            if any(result.reason is Reason.READ_ONLY for result in run.results):
                self._discard(connection)  # meanwhile another host may have become the primary
        except DatabaseFailure as failure:
            run.failure = failure
            run.results[:] = [result for result in run.results if result.name != "database"]
            if connection is not None:
                self._discard(connection)
        except Exception as error:  # noqa: B902 - a bug in a check must not look healthy
            log.exception("a check failed unexpectedly")
            run.failure = ServerUnreachable.at(self._target.url, detail=type(error).__name__)
        finally:
            run.done.set()

    def _reuse_connection(self) -> Connection | None:
        """Return the connection of the last run, if it still works.

        The server may have ended an idle session, and a failover ends all of them. Neither is an
        outage if a new connection can be opened at once.
        """
        connection = self._connection
        if connection is not None:
            try:
                connection.execute("SELECT")
            except psycopg.Error:
                self._discard(connection)
                return None
        return connection

    def _run_check(
        self, name: str, check: Callable[[CheckContext], Observation], context: CheckContext
    ) -> CheckResult:
        """Run one check. If its statement fails, so does the check; other errors end the run."""
        began = time.monotonic()
        try:
            observation: Observation = (
                self._run_in_transaction(check, context) if self._is_pooled else check(context)
            )
        except psycopg.Error as error:
            failure = translate(error, self._target.url)
            lost = context.connection.closed or not isinstance(error, psycopg.DatabaseError)
            if lost or name == "database" or isinstance(failure, ServerUnreachable):
                raise failure from error
            observation = _describe_statement_failure(failure)
            if name == "schema":
                context.unseen = observation.reason
        return _make_result(name, observation, time.monotonic() - began)

    def _run_in_transaction(
        self, check: Callable[[CheckContext], Observation], context: CheckContext
    ) -> Observation:
        """Run a check in a transaction with its own timeouts.

        Without them, each check of a locked table would leave another session waiting.
        """
        with context.connection.transaction():
            context.connection.execute(LOCAL_TIMEOUTS, self._timeouts)
            return check(context)

    def _require_transaction(self, connection: Connection) -> None:
        """Check that the pooler keeps one session for a whole transaction.

        Raises:
            psycopg.errors.ProtocolViolation: The pooler is in statement mode and disconnects.
        """
        with connection.transaction():
            connection.execute(LOCAL_TIMEOUTS, self._timeouts)

    @property
    def _timeouts(self) -> dict[str, str]:
        shares = {"lock": LOCK_SHARE, "statement": STATEMENT_SHARE}
        return {
            name: str(max(1, round(self._deadline * share * 1000)))
            for name, share in shares.items()
        }

    def _connect(self, end: float) -> Connection:
        connection = connect(
            self._target.url,
            application_name=APPLICATION_NAME,
            connect_timeout=max(0.001, end - time.monotonic()),
            last_host=self._last_host,
        )
        try:
            pid = connection.info.backend_pid
            found = connection.execute(TIMEOUTS, {**self._timeouts, "pid": pid}).fetchone()
            self._is_pooled = found is None and not self._lends_statements
            if self._is_pooled:
                self._require_transaction(connection)
        except psycopg.Error as error:
            connection.close()
            # PgBouncer reports a lost server with the same SQLSTATE.
            if self._is_pooled and "statement pooling" in str(error):
                self._lends_statements = True
                return self._connect(end)
            raise translate(error, self._target.url) from error
        return connection

    def _hang_up(self) -> None:
        """Shut down the socket of a statement that does not return."""
        connection, self._connection = self._connection, None
        if connection is not None:
            hang_up(connection)

    def _discard(self, connection: Connection) -> None:
        self._connection = None
        with suppress(psycopg.Error):
            connection.close()

    def _report_timeout(self) -> CheckResult:
        observation = Observation(
            CheckStatus.FAIL,
            f"no answer within {self._deadline:g} s",
            Reason.TIMEOUT,
            "check the load of the server and of the network: larp doctor",
        )
        return _make_result("database", observation, self._deadline)

    def _report_failure(self, failure: DatabaseFailure) -> CheckResult:
        observation = Observation(
            CheckStatus.FAIL, failure.message, Reason(failure.reason), failure.hint
        )
        return _make_result("database", observation, 0.0)


def inspect_once(target: HealthTarget, names: tuple[str, ...], *, deadline: float) -> HealthReport:
    """Run the named checks on a new connection, within ``deadline`` seconds."""
    inspector = Inspector(target, deadline=deadline)
    try:
        return inspector.inspect(names)
    finally:
        inspector.close()


def _describe_statement_failure(failure: DatabaseFailure) -> Observation:
    """Describe why the statement of one check failed. The server itself answers."""
    # The reason `timeout` would mean that the server does not answer.
    if isinstance(failure, StatementTimeout):
        return Observation(
            CheckStatus.FAIL,
            "the check took too long",
            Reason.FAILED,
            "raise HEALTH_DEADLINE, or find out what keeps the server busy: larp db shell",
        )
    hint = "larp db status" if failure.reason == Reason.LOCKED else failure.hint
    return Observation(CheckStatus.FAIL, failure.message, Reason(failure.reason), hint)


def _make_result(name: str, observation: Observation, seconds: float) -> CheckResult:
    return CheckResult(
        name=name,
        status=observation.status,
        reason=observation.reason,
        observed=observation.observed,
        seconds=seconds,
        hint=observation.hint,
    )


def _rank(status: CheckStatus) -> int:
    return list(CheckStatus).index(status)
