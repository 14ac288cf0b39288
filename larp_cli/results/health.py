"""Facts of health: what each check saw, and what that adds up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from larp_cli.errors import ExitCode
from larp_cli.results.base import Problem, Result


class CheckStatus(StrEnum):
    """What a check comes to. A warning is no reason to take a service out of use."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


class Reason(StrEnum):
    """Why a check does not pass: a fixed list, as programs act on it.

    From ``failed`` to ``unreachable`` these are the reasons of
    `larp_cli.postgres.errors.DatabaseFailure`.
    """

    FAILED = "failed"
    """The server reports an error that has no reason of its own."""
    AUTH = "auth"
    """The server does not let the role in."""
    CANCELLED = "cancelled"
    """Somebody asked the server to cancel the check's statement."""
    CONNECTION_LOST = "connection_lost"
    """The connection broke while in use."""
    DATABASE_MISSING = "database_missing"
    """The server is there, the database is not."""
    DNS = "dns"
    """The host name is unknown."""
    LOCKED = "locked"
    """A table that was to be read stayed locked, perhaps by a migration."""
    NOT_POSTGRESQL = "not_postgresql"
    """Something else listens there."""
    PERMISSION_DENIED = "permission_denied"
    """The role may not read what the check reads."""
    READ_ONLY = "read_only"
    """A standby, or a database or role whose transactions are read-only."""
    REFUSED = "refused"
    """Nobody listens there."""
    REJECTED_OPTION = "rejected_option"
    """The server knows no such connection option, or not that value."""
    SHUTTING_DOWN = "shutting_down"
    """A restart or an administrator ended the session."""
    STARTING_UP = "starting_up"
    """The server runs, and takes no connections yet."""
    TIMEOUT = "timeout"
    """No answer within HEALTH_DEADLINE."""
    TLS = "tls"
    """TLS could not be agreed on."""
    TOO_MANY_CONNECTIONS = "too_many_connections"
    """The server has no connection left for us."""
    UNREACHABLE = "unreachable"
    """No connection, for a reason that is not known better."""

    CLOCK_SKEW = "clock_skew"
    """The clocks of the server and of this machine differ."""
    CONFIGURATION = "configuration"
    """A setting is doubtful."""
    CONNECTIONS_HIGH = "connections_high"
    """Few of the connections that the server grants are left."""
    EXTENSION_MISSING = "extension_missing"
    """An extension of use is offered and not installed."""
    INDEX_INVALID = "index_invalid"
    """A failed CREATE INDEX CONCURRENTLY left an index behind."""
    MIGRATION_FAILED = "migration_failed"
    """The last run of a revision did not succeed."""
    NOT_INITIALISED = "not_initialised"
    """No revision was ever applied."""
    REPLICATION_LAG = "replication_lag"
    """A standby is far behind its primary."""
    SCHEMA_AHEAD = "schema_ahead"
    """The database has a revision that this code does not."""
    SCHEMA_BEHIND = "schema_behind"
    """A revision of this code is not applied."""
    VERSION_UNSUPPORTED = "version_unsupported"
    """The server is older than any that larp is tested with."""

    DRAINING = "draining"
    """The server got SIGTERM, and goes on for SERVE_DRAIN_SECONDS."""
    MONITOR_STALLED = "monitor_stalled"
    """The last look at the database is older than it may ever be."""
    NOT_CHECKED = "not_checked"
    """The server has only just started: there was no look yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check saw."""

    name: str
    status: CheckStatus
    reason: Reason | None = None
    """Why it does not pass; None where it does."""
    observed: str
    """What it saw, with units."""
    seconds: float
    """How long it took."""
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport(Result):
    """Every check, once."""

    status: CheckStatus
    """The worst of all checks."""
    checked_at: datetime
    seconds: float
    checks: tuple[CheckResult, ...]
    skipped: tuple[str, ...] = ()
    """Checks that could not be made, because the database did not answer."""
    current: tuple[str, ...] | None = None
    """Revisions with which the database is stamped; None where that could not be read."""
    pending: tuple[str, ...] | None = None
    """Revisions that the database does not have; None where that could not be read."""

    def check(self, name: str) -> CheckResult | None:
        """Return what the named check saw, if it was made."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def problem(self) -> Problem | None:
        """A check that fails makes the answer a "no"; 5 where the database did not answer."""
        failed = [check for check in self.checks if check.status is CheckStatus.FAIL]
        if not failed:
            return None
        # Where the hosts that are up are all standbys none was what was asked for.
        silent = UNREACHABLE | {Reason.READ_ONLY}
        unreachable = any(check.name == "database" and check.reason in silent for check in failed)
        told = "; ".join(f"{check.name}: {check.observed}" for check in failed)
        return Problem(
            exit_code=ExitCode.UNREACHABLE if unreachable else ExitCode.NEGATIVE,
            message=f"unhealthy: {told}",
            hint=next((check.hint for check in failed if check.hint), None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHealth(Result):
    """What a running server says of its health."""

    url: str
    http_status: int
    status: CheckStatus
    reason: Reason | None
    checked_at: datetime | None
    """When the server last looked; None where the answer does not say."""
    age_seconds: float | None
    seconds: float
    """How long the answer took."""

    @property
    def problem(self) -> Problem | None:
        """Anything but a 200 is a "no"; 5 where the server's database does not answer."""
        if self.http_status == 200:
            return None
        reason = self.reason.value if self.reason else f"HTTP {self.http_status}"
        unreachable = self.reason in UNREACHABLE
        return Problem(
            exit_code=ExitCode.UNREACHABLE if unreachable else ExitCode.NEGATIVE,
            message=f"unhealthy: {self.url} says {reason}",
            hint="larp health, on the machine where the server runs" if self.reason else None,
        )


UNREACHABLE = frozenset(
    {
        Reason.AUTH,
        Reason.CONNECTION_LOST,
        Reason.DATABASE_MISSING,
        Reason.DNS,
        Reason.NOT_POSTGRESQL,
        Reason.REFUSED,
        Reason.REJECTED_OPTION,
        Reason.SHUTTING_DOWN,
        Reason.STARTING_UP,
        Reason.TIMEOUT,
        Reason.TLS,
        Reason.TOO_MANY_CONNECTIONS,
        Reason.UNREACHABLE,
    }
)
"""Reasons that mean: the database did not answer, or refused us, in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving(Result):
    """A health server that listens."""

    url: str
    """Where; ``unix:PATH`` for a Unix socket."""
    pid: int
