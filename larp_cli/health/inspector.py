"""One look at the database within a deadline, on one connection that is kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from larp_cli.health.checks import CHECKS, NAMES, Look, Observation, check_configuration
from larp_cli.health.target import HealthTarget
from larp_cli.postgres.connection import TIMEOUTS, Connection, connect, hang_up
from larp_cli.postgres.errors import DatabaseFailure, ServerUnreachable, StatementTimeout, translate
from larp_cli.results.health import CheckResult, CheckStatus, HealthReport, Reason

log = logging.getLogger("larp.health")

APPLICATION_NAME = "larp-health"

LOCAL_TIMEOUTS = """
SELECT set_config('lock_timeout', %(lock)s, true),
       set_config('statement_timeout', %(statement)s, true)
"""
"""Behind a pooler: they end with the transaction, and so with our use of the session."""

LOCK_SHARE, STATEMENT_SHARE = 0.1, 0.5
"""Of the deadline. A look may meet several tables that a migration has locked, and has to tell
each from a server that does not answer."""


@dataclass(slots=True)
class _Work:
    """A look that is under way, on a thread of its own."""

    results: list[CheckResult] = field(default_factory=list)
    look: Look | None = None
    failure: DatabaseFailure | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Inspector:
    """Looks at a database, as often as it is told to, on one connection.

    A look that hangs is left behind: name lookup and a server that stopped cannot be
    interrupted. Until it ends no other begins, so there is never a second connection.
    """

    def __init__(self, target: HealthTarget, *, deadline: float) -> None:
        self._target = target
        self._deadline = deadline
        self._connection: Connection | None = None
        self._left_behind: _Work | None = None
        self._is_pooled = False
        self._lends_statements = False

    def inspect(self, names: tuple[str, ...] = NAMES) -> HealthReport:
        """Make the named checks, and the first of all, within the deadline.

        Raises nothing: what goes wrong is what the checks say.
        """
        began, at = time.monotonic(), datetime.now(UTC)
        end = began + self._deadline
        results: list[CheckResult] = []
        look: Look | None = None
        if set(names) & set(CHECKS):
            results, look = self._look(names, end)
        if "configuration" in names:
            results.append(_told("configuration", check_configuration(self._target), 0.0))
        made = {result.name for result in results}
        return HealthReport(
            status=max((result.status for result in results), key=_badness),
            checked_at=at,
            seconds=time.monotonic() - began,
            checks=tuple(results),
            skipped=tuple(name for name in NAMES if name in names and name not in made),
            current=look.current if look else None,
            pending=look.pending if look else None,
        )

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _look(self, names: tuple[str, ...], end: float) -> tuple[list[CheckResult], Look | None]:
        earlier = self._left_behind
        if earlier is not None and not earlier.done.wait(max(0.0, end - time.monotonic())):
            return [self._timed_out()], None
        work = _Work()
        thread = threading.Thread(
            target=self._work, args=(work, names, end), name="larp-look", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the system grants no thread now; it may the next time
            log.warning("a look could not be begun: %s", error)
            failure = ServerUnreachable.at(self._target.url, detail=str(error))
            return [self._unanswered(failure)], None
        self._left_behind = work
        if not work.done.wait(max(0.0, end - time.monotonic())):
            self._hang_up()
            return [self._timed_out()], None
        self._left_behind = None
        if work.failure is not None:
            self._connection = None
            return [*work.results, self._unanswered(work.failure)], work.look
        return work.results, work.look

    def _work(self, work: _Work, names: tuple[str, ...], end: float) -> None:
        connection: Connection | None = None
        try:
            connection = self._kept() or self._connect(end)
            self._connection = connection
            work.look = look = Look(self._target, connection)
            for name, check in CHECKS.items():
                if name in names or name in ("database", "schema"):
                    result = self._made(name, check, look)
                    if name in names or name == "database":
                        work.results.append(result)
            if any(result.reason is Reason.READ_ONLY for result in work.results):
                self._discard(connection)  # another host may be the primary by now
        except DatabaseFailure as failure:
            work.failure = failure
            work.results[:] = [result for result in work.results if result.name != "database"]
            if connection is not None:
                self._discard(connection)
        except Exception as error:  # noqa: B902 - a check with a bug must not look like health
            log.exception("a check failed in a way that it should not")
            work.failure = ServerUnreachable.at(self._target.url, detail=type(error).__name__)
        finally:
            work.done.set()

    def _kept(self) -> Connection | None:
        """Return the connection of the last look, if it still stands.

        A server may end an idle session, and a failover ends all: neither is an outage where
        another connection is to be had at once.
        """
        connection = self._connection
        if connection is not None:
            try:
                connection.execute("SELECT")
            except psycopg.Error:
                self._discard(connection)
                return None
        return connection

    def _made(self, name: str, check: Callable[[Look], Observation], look: Look) -> CheckResult:
        """Make one check; an error of its statement is its own, any other ends the look."""
        began = time.monotonic()
        try:
            seen: Observation = self._bounded(check, look) if self._is_pooled else check(look)
        except psycopg.Error as error:
            failure = translate(error, self._target.url)
            lost = look.connection.closed or not isinstance(error, psycopg.DatabaseError)
            if lost or name == "database" or _ends_session(failure):
                raise failure from error
            seen = _of_statement(failure)
            if name == "schema":
                look.unseen = seen.reason
        return _told(name, seen, time.monotonic() - began)

    def _bounded(self, check: Callable[[Look], Observation], look: Look) -> Observation:
        """Make a check in a transaction that brings its own timeouts.

        Else each look at a locked table would leave another session waiting at the server.
        """
        with look.connection.transaction():
            look.connection.execute(LOCAL_TIMEOUTS, self._timeouts)
            return check(look)

    def _require_transaction(self, connection: Connection) -> None:
        """Try whether the pooler lends a session for a transaction.

        Raises:
            psycopg.errors.ProtocolViolation: It lends one for each statement, and hangs up.
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
        )
        try:
            pid = connection.info.backend_pid
            found = connection.execute(TIMEOUTS, {**self._timeouts, "pid": pid}).fetchone()
            self._is_pooled = found is None and not self._lends_statements
            if self._is_pooled:
                self._require_transaction(connection)
        except psycopg.Error as error:
            connection.close()
            # PgBouncer tells a server that is gone with the same SQLSTATE.
            if self._is_pooled and "statement pooling" in str(error):
                self._lends_statements = True
                return self._connect(end)
            raise translate(error, self._target.url) from error
        return connection

    def _hang_up(self) -> None:
        """End the line under a statement that does not return."""
        connection, self._connection = self._connection, None
        if connection is not None:
            hang_up(connection)

    def _discard(self, connection: Connection) -> None:
        self._connection = None
        with suppress(psycopg.Error):
            connection.close()

    def _timed_out(self) -> CheckResult:
        seen = Observation(
            CheckStatus.FAIL,
            f"no answer within {self._deadline:g} s",
            Reason.TIMEOUT,
            "see whether the server, and the way to it, is overloaded: larp doctor",
        )
        return _told("database", seen, self._deadline)

    def _unanswered(self, failure: DatabaseFailure) -> CheckResult:
        seen = Observation(CheckStatus.FAIL, failure.message, Reason(failure.reason), failure.hint)
        return _told("database", seen, 0.0)


def inspect_once(target: HealthTarget, names: tuple[str, ...], *, deadline: float) -> HealthReport:
    """Make the named checks on a connection of their own, within ``deadline`` seconds."""
    inspector = Inspector(target, deadline=deadline)
    try:
        return inspector.inspect(names)
    finally:
        inspector.close()


def _of_statement(failure: DatabaseFailure) -> Observation:
    """Say what the failure of one check's statement means; the server answers."""
    if isinstance(failure, StatementTimeout):  # `timeout` is for a database that does not
        return Observation(
            CheckStatus.FAIL,
            "the check took too long",
            Reason.FAILED,
            "raise HEALTH_DEADLINE, or see what keeps the server busy",
        )
    hint = "larp db status" if failure.reason == Reason.LOCKED else failure.hint
    return Observation(CheckStatus.FAIL, failure.message, Reason(failure.reason), hint)


def _ends_session(failure: DatabaseFailure) -> bool:
    """Tell an unreachable server from a statement that ran out of its own time."""
    return isinstance(failure, ServerUnreachable) and not isinstance(failure, StatementTimeout)


def _told(name: str, seen: Observation, seconds: float) -> CheckResult:
    return CheckResult(
        name=name,
        status=seen.status,
        reason=seen.reason,
        observed=seen.observed,
        seconds=seconds,
        hint=seen.hint,
    )


def _badness(status: CheckStatus) -> int:
    return list(CheckStatus).index(status)
