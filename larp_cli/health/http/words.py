"""What the pages say to people: reasons, times and durations in plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from larp_cli.results.base import counted
from larp_cli.results.health import Reason

REASONS: dict[Reason, str] = {
    Reason.FAILED: "the database reports an error",
    Reason.AUTH: "the database does not accept our login",
    Reason.CANCELLED: "the question to the database was cancelled",
    Reason.CONNECTION_LOST: "the connection to the database broke",
    Reason.DATABASE_MISSING: "the database does not exist",
    Reason.DNS: "the name of the database server cannot be found",
    Reason.LOCKED: "a table is locked, perhaps by a migration",
    Reason.NOT_POSTGRESQL: "what answers is not PostgreSQL",
    Reason.PERMISSION_DENIED: "the database does not let us look",
    Reason.READ_ONLY: "the database takes no writes",
    Reason.REFUSED: "the database refuses connections",
    Reason.REJECTED_OPTION: "the database does not accept an option of the connection",
    Reason.SHUTTING_DOWN: "the database is shutting down",
    Reason.STARTING_UP: "the database is starting up",
    Reason.TIMEOUT: "the database does not answer in time",
    Reason.TLS: "no encrypted connection to the database can be made",
    Reason.TOO_MANY_CONNECTIONS: "the database has no connection left",
    Reason.UNREACHABLE: "the database cannot be reached",
    Reason.CLOCK_SKEW: "the clocks of the database and of this machine differ",
    Reason.CONFIGURATION: "a setting is doubtful",
    Reason.CONNECTIONS_HIGH: "few connections to the database are left",
    Reason.EXTENSION_MISSING: "an extension is not installed",
    Reason.INDEX_INVALID: "an index is invalid",
    Reason.MIGRATION_FAILED: "the last migration failed",
    Reason.NOT_INITIALISED: "the database has not been set up yet",
    Reason.REPLICATION_LAG: "the database is a standby, and far behind",
    Reason.SCHEMA_AHEAD: "the database is newer than this version of the code",
    Reason.SCHEMA_BEHIND: "the database waits for a migration",
    Reason.VERSION_UNSUPPORTED: "the version of the database server is not supported",
    Reason.DRAINING: "this server is about to end",
    Reason.MONITOR_STALLED: "nobody has looked at the database for too long",
    Reason.NOT_CHECKED: "nobody has looked at the database yet",
}

_STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def text(value: str) -> str:
    """Escape a text for HTML, and for UTF-8: a page must not end on half a character."""
    return escape(value.encode(errors="replace").decode())


def sentence(words: str) -> str:
    """Begin with a capital, and end with a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def duration(seconds: float) -> str:
    """Write a span of time in its largest unit: ``3 minutes``."""
    for size, noun in _STEPS:
        if seconds >= size:
            return counted(int(seconds // size), noun)
    return counted(max(0, int(seconds)), "second")


def format_latency(seconds: float) -> str:
    """Write a short span of time in format_latency, or in seconds from one second on."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.{1 if seconds < 0.01 else 0}f} ms"


def time_tag(moment: datetime) -> str:
    """Write a time for people and for programs, in UTC."""
    moment = moment.astimezone(UTC)
    machine = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return f'<time datetime="{machine}">{moment:%Y-%m-%d %H:%M:%S} UTC</time>'
