"""Reasons, times and durations as the pages show them to people."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from larp_cli.results.health import Reason
from larp_cli.units import format_count

REASONS: dict[Reason, str] = {
    Reason.FAILED: "the database reported an error",
    Reason.AUTH: "the database rejected the login",
    Reason.CANCELLED: "the query of a check was cancelled",
    Reason.CONNECTION_LOST: "the connection to the database broke",
    Reason.DATABASE_MISSING: "the database does not exist",
    Reason.DNS: "the host name of the database does not resolve",
    Reason.LOCKED: "a table is locked, perhaps by a migration",
    Reason.NOT_POSTGRESQL: "the server at this address is not PostgreSQL",
    Reason.PERMISSION_DENIED: "the role lacks a privilege that the checks need",
    Reason.READ_ONLY: "the database accepts no writes",
    Reason.REFUSED: "the database refuses connections",
    Reason.REJECTED_OPTION: "the database rejects a connection option",
    Reason.SHUTTING_DOWN: "the database is shutting down",
    Reason.STARTING_UP: "the database is starting up",
    Reason.TIMEOUT: "the database does not answer in time",
    Reason.TLS: "the encrypted connection to the database failed",
    Reason.TOO_MANY_CONNECTIONS: "the database has no free connection",
    Reason.UNREACHABLE: "the database cannot be reached",
    Reason.CLOCK_SKEW: "the clocks of the database and of this machine differ",
    Reason.CONFIGURATION: "a setting is questionable",
    Reason.CONNECTIONS_HIGH: "few database connections are free",
    Reason.EXTENSION_MISSING: "an extension is not installed",
    Reason.INDEX_INVALID: "an index is invalid",
    Reason.MIGRATION_FAILED: "the last migration failed",
    Reason.NOT_INITIALISED: "the database has not been set up yet",
    Reason.REPLICATION_LAG: "the database is a standby, far behind its primary",
    Reason.SCHEMA_AHEAD: "the database is newer than this version of the code",
    Reason.SCHEMA_BEHIND: "a migration is pending",
    Reason.VERSION_UNSUPPORTED: "this version of PostgreSQL is not supported",
    Reason.DRAINING: "this server is shutting down",
    Reason.MONITOR_STALLED: "the database has not been checked for too long",
    Reason.NOT_CHECKED: "the database has not been checked yet",
}

_STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def text(value: str) -> str:
    """Escape a text for HTML, and replace what UTF-8 cannot encode."""
    return escape(value.encode(errors="replace").decode())


def format_sentence(words: str) -> str:
    """Capitalise the first letter and add a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def format_duration(seconds: float) -> str:
    """Write a duration in its largest unit: ``3 minutes``."""
    for size, noun in _STEPS:
        if seconds >= size:
            return format_count(int(seconds // size), noun)
    return format_count(max(0, int(seconds)), "second")


def format_latency(seconds: float) -> str:
    """Write a short duration in milliseconds, or in seconds from one second up."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.{1 if seconds < 0.01 else 0}f} ms"


def format_time(moment: datetime) -> str:
    """Write a time in UTC as an HTML ``time`` element."""
    moment = moment.astimezone(UTC)
    machine = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return f'<time datetime="{machine}">{moment:%Y-%m-%d %H:%M:%S} UTC</time>'
