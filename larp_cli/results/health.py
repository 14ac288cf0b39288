"""Results of health checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from larp_cli.errors import ExitCode
from larp_cli.results.base import Result


class CheckStatus(StrEnum):
    """The outcome of a check."""

    PASS = "pass"
    """Nothing to do."""
    WARN = "warn"
    """Needs attention, but the service stays ready."""
    FAIL = "fail"
    """Something is broken."""


class Reason(StrEnum):
    """Why a check does not pass. The list is fixed, so that programs can act on it.

    From ``failed`` to ``unreachable`` these are the reasons of
    `larp_cli.postgres.errors.DatabaseFailure`.
    """

    FAILED = "failed"
    """The server reported an error that no other reason covers."""
    AUTH = "auth"
    """The server rejected the login."""
    CANCELLED = "cancelled"
    """The check's query was cancelled by another session."""
    CONNECTION_LOST = "connection_lost"
    """The connection broke during the check."""
    DATABASE_MISSING = "database_missing"
    """The server answers, but the database does not exist."""
    DNS = "dns"
    """The host name does not resolve."""
    LOCKED = "locked"
    """A table the check reads stayed locked, perhaps by a migration."""
    NOT_POSTGRESQL = "not_postgresql"
    """The port answers, but not as PostgreSQL."""
    PERMISSION_DENIED = "permission_denied"
    """The role lacks a privilege that the check needs."""
    READ_ONLY = "read_only"
    """The server is a standby, or transactions are read-only by default."""
    REFUSED = "refused"
    """Connection refused: nothing is listening on that port."""
    REJECTED_OPTION = "rejected_option"
    """The server does not accept a connection option, or its value."""
    SHUTTING_DOWN = "shutting_down"
    """The server is shutting down or restarting, or an administrator ended the session."""
    STARTING_UP = "starting_up"
    """The server is starting and accepts no connections yet."""
    TIMEOUT = "timeout"
    """No answer within HEALTH_DEADLINE."""
    TLS = "tls"
    """TLS negotiation or certificate verification failed."""
    TOO_MANY_CONNECTIONS = "too_many_connections"
    """The server has no free connection."""
    UNREACHABLE = "unreachable"
    """The connection failed for a reason that no other reason covers."""

    CLOCK_SKEW = "clock_skew"
    """The server's clock and this machine's clock differ."""
    CONFIGURATION = "configuration"
    """A setting is questionable; ``larp config check`` shows it."""
    CONNECTIONS_HIGH = "connections_high"
    """Few of the server's connections are free."""
    EXTENSION_MISSING = "extension_missing"
    """An extension is available on the server but not installed."""
    INDEX_INVALID = "index_invalid"
    """A failed CREATE INDEX CONCURRENTLY left an index behind."""
    MIGRATION_FAILED = "migration_failed"
    """The last run of a revision failed or was interrupted."""
    NOT_INITIALISED = "not_initialised"
    """No revision was ever applied."""
    REPLICATION_LAG = "replication_lag"
    """The server is a standby, far behind its primary."""
    SCHEMA_AHEAD = "schema_ahead"
    """The database has a revision that this code does not have."""
    SCHEMA_BEHIND = "schema_behind"
    """Revisions are pending."""
    VERSION_UNSUPPORTED = "version_unsupported"
    """The server is older than larp supports."""

    DRAINING = "draining"
    """``larp serve`` received SIGTERM and is shutting down."""
    MONITOR_STALLED = "monitor_stalled"
    """``larp serve`` has not checked the database for too long."""
    NOT_CHECKED = "not_checked"
    """``larp serve`` has just started and has not checked the database yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check."""

    name: str
    status: CheckStatus
    reason: Reason | None = None
    """Why the check does not pass; None if it does."""
    observed: str
    """What the check found, with units."""
    seconds: float
    """Duration of the check."""
    hint: str | None = None
    """What to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport(Result):
    """The result of ``larp health``."""

    status: CheckStatus
    """The worst status of all checks."""
    checked_at: datetime
    seconds: float
    checks: tuple[CheckResult, ...]
    skipped: tuple[str, ...] = ()
    """Checks skipped because the database did not answer."""
    current: tuple[str, ...] | None = None
    """Current revisions of the database; None if they could not be read."""
    pending: tuple[str, ...] | None = None
    """Pending revisions; None if they could not be determined."""

    def check(self, name: str) -> CheckResult | None:
        """Return the result of the named check, if it ran."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status is CheckStatus.FAIL)

    @property
    def exit_code(self) -> ExitCode:
        """A failed check ends the command with 3, or with 5 if the database did not answer."""
        # READ_ONLY: only standbys answered, and none of them is what the URL asks for.
        silent = UNREACHABLE | {Reason.READ_ONLY}
        if any(check.name == "database" and check.reason in silent for check in self.failed):
            return ExitCode.UNREACHABLE
        return ExitCode.NEGATIVE if self.failed else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHealth(Result):
    """The answer of a running ``larp serve``."""

    url: str
    http_status: int
    status: CheckStatus
    reason: Reason | None
    checked_at: datetime | None
    """When the server last checked the database; None if it does not say."""
    age_seconds: float | None
    """Age of that check; None if the server does not say."""
    seconds: float
    """How long the server took to answer."""

    @property
    def exit_code(self) -> ExitCode:
        """Any status but 200 ends the command with 3, or with 5 if the database does not answer."""
        if self.http_status == 200:
            return ExitCode.OK
        return ExitCode.UNREACHABLE if self.reason in UNREACHABLE else ExitCode.NEGATIVE


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
"""Reasons that mean: the database did not answer in time, or rejected the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving(Result):
    """A health server that is listening."""

    url: str
    """Where it listens; ``unix:PATH`` for a Unix socket."""
    pid: int
