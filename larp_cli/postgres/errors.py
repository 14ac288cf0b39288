"""What PostgreSQL and libpq say went wrong, told as larp's own errors. The one place.

A statement's error is known by its SQLSTATE (PostgreSQL manual, appendix A). An error
while connecting carries none in libpq, only a text, so it is known by libpq's and the
server's own words; a server that speaks another language falls back to
`ServerUnreachable`. Nothing here imports SQLAlchemy.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

import psycopg

from larp_cli.errors import CommandFailed, DatabaseUnreachable, LarpError, Locked
from larp_cli.postgres.url import DatabaseUrl


class DatabaseFailure(LarpError):
    """The database, or the way to it, failed us.

    ``phrase`` goes on after "PostgreSQL at db:5432 …"; it and ``advice`` may name
    ``{user}``, ``{database}`` and ``{safe}`` (the URL without password), which ``advice``
    gets quoted for the shell; ``phrase`` may name ``{detail}`` too.
    """

    reason: ClassVar[str] = "failed"
    """The reason in a health report."""
    transient: ClassVar[bool] = False
    """Whether it may pass by itself, so that waiting makes sense."""
    phrase: ClassVar[str] = "failed: {detail}"
    advice: ClassVar[str | None] = None

    @classmethod
    def at(cls, url: DatabaseUrl, *, address: str | None = None, detail: str = "") -> Self:
        """Make the error for ``url``, or for one ``address`` of its hosts."""
        words = {
            "user": url.user, "database": url.database, "safe": url.safe, "setting": url.setting
        }  # fmt: skip
        quoted = {name: shlex.quote(word) for name, word in words.items()}
        return cls(
            f"PostgreSQL at {address or url.address} {cls.phrase.format(detail=detail, **words)}",
            hint=cls.advice and cls.advice.format(**quoted),
        )


class ServerUnreachable(DatabaseFailure, DatabaseUnreachable):
    """No connection, for a reason we do not know better. Waiting may help."""

    reason = "unreachable"
    transient = True
    phrase = "cannot be reached: {detail}"
    advice = "try it by hand: psql {safe}"


class ConnectionRefused(ServerUnreachable):
    """Nobody listens there."""

    reason = "refused"
    phrase = "refused the connection: no server listens there"
    advice = "start the server, then: larp db wait"


class ConnectTimeout(ServerUnreachable):
    """No answer within the time given."""

    reason = "timeout"
    phrase = "did not answer in time"
    advice = "check host, port and firewall, or raise DATABASE_CONNECT_TIMEOUT"


class UnknownHost(ServerUnreachable):
    """The host name does not resolve."""

    reason = "dns"
    phrase = "cannot be found: the host name is unknown"
    advice = "correct the host in {setting}, or check the name server"


class ConnectionLost(ServerUnreachable):
    """The connection broke while in use."""

    reason = "connection_lost"
    phrase = "closed the connection"
    advice = "see whether it is back: larp db wait"


class StartingUp(ServerUnreachable):
    """57P03: the server runs, and takes no connections yet."""

    reason = "starting_up"
    phrase = "is starting up, or shutting down"
    advice = "wait for it: larp db wait"


class ShuttingDown(ServerUnreachable):
    """57P01, 57P02: an administrator or a restart ended the session."""

    reason = "shutting_down"
    phrase = "ended the session: it restarts, or an administrator ended it"
    advice = "wait for it: larp db wait"


class TooManyConnections(ServerUnreachable):
    """53300: every slot of the server, the database or the role is taken."""

    reason = "too_many_connections"
    phrase = "has no connection left for role '{user}'"
    advice = "raise max_connections, or lower DATABASE_POOL_SIZE of its clients"


class DatabaseMissing(ServerUnreachable):
    """3D000: the server is there, the database is not (yet)."""

    reason = "database_missing"
    phrase = "has no database '{database}'"
    advice = "larp db init"


class ReadOnly(ServerUnreachable):
    """25006: a standby, or a session that may not write. Passes with a failover."""

    reason = "read_only"
    phrase = "is read-only, perhaps a standby"
    advice = "use the primary: list all hosts and add ?target_session_attrs=read-write"


class NotPrimary(ReadOnly):
    """No host is in the state that ``target_session_attrs`` asks for."""

    phrase = "is not in the state that target_session_attrs asks for"
    advice = "check which host is the primary, or change target_session_attrs in {setting}"


class AuthenticationFailed(ServerUnreachable):
    """28000: the server does not let the role in."""

    reason = "auth"
    transient = False
    phrase = "does not let role '{user}' in: {detail}"
    advice = "check role and password: psql {safe}"


class WrongPassword(AuthenticationFailed):
    """28P01: a wrong password; servers say the same of a role that does not exist."""

    phrase = "does not accept the password of role '{user}', or has no such role"
    advice = "correct {setting}; try it by hand: psql {safe}"


class PasswordMissing(AuthenticationFailed):
    """The server asks for a password, and there is none."""

    phrase = "asks for a password of role '{user}', and none is set"
    advice = "put it in {setting}, PGPASSWORD or the file PGPASSFILE names"


class NoSuchRole(AuthenticationFailed):
    """28000: the role does not exist, or may not log in."""

    phrase = "has no role '{user}' that may log in"
    advice = "create it as a superuser: createuser --login --pwprompt {user}"


class NotInPgHba(AuthenticationFailed):
    """28000: no line of ``pg_hba.conf`` admits this role from this address."""

    phrase = "has no line in pg_hba.conf for role '{user}' and database '{database}' from here"
    advice = "add the line (or ?sslmode=require), then on the server: SELECT pg_reload_conf()"


class TlsFailed(ServerUnreachable):
    """TLS could not be agreed on."""

    reason = "tls"
    transient = False
    phrase = "and we cannot agree on TLS: {detail}"
    advice = "check sslmode and sslrootcert in {setting}"


class NotPostgres(ServerUnreachable):
    """Something else listens there."""

    reason = "not_postgresql"
    transient = False
    phrase = "is something else: it does not speak PostgreSQL's protocol"
    advice = "correct host and port in {setting}"


class RejectedOption(ServerUnreachable):
    """The server knows no such startup parameter, or not that value."""

    reason = "rejected_option"
    transient = False
    phrase = "rejected a connection option: {detail}"
    advice = "correct the options in {setting} or PGOPTIONS"


class PermissionDenied(DatabaseFailure, CommandFailed):
    """42501: the role may not do this."""

    reason = "permission_denied"
    phrase = "does not let role '{user}' do this: {detail}"
    advice = "GRANT it as the owner; migrations go by DATABASE_MIGRATION_URL, the owner's URL"


class LockNotAvailable(DatabaseFailure, Locked):
    """55P03, 40P01: another session holds the lock."""

    reason = "locked"
    transient = True
    phrase = "did not give the lock in time: {detail}"
    advice = "see who holds it in pg_locks and pg_stat_activity: larp db shell"


class StatementTimeout(ServerUnreachable):
    """57014: ``statement_timeout`` ran out."""

    reason = "timeout"
    phrase = "cancelled a statement that ran out of time"
    advice = "raise DATABASE_STATEMENT_TIMEOUT"


class StatementCancelled(DatabaseFailure, CommandFailed):
    """57014: somebody asked for the statement to be cancelled."""

    reason = "cancelled"
    phrase = "cancelled a statement because it was asked to"


class ResourcesExhausted(DatabaseFailure, CommandFailed):
    """53100, 53200, 53400: the server's disk or memory is full."""

    phrase = "has run out of something: {detail}"
    advice = "make room on the server (disk, memory, see its log), then run it again"


class StatementFailed(DatabaseFailure, CommandFailed):
    """Any other error of a statement."""

    phrase = "reports: {detail}"


_BY_SQLSTATE: dict[str, type[DatabaseFailure]] = {
    "25006": ReadOnly,
    "28000": AuthenticationFailed,
    "28P01": WrongPassword,
    "3D000": DatabaseMissing,
    "40P01": LockNotAvailable,
    "42501": PermissionDenied,
    "53000": ResourcesExhausted,
    "53100": ResourcesExhausted,
    "53200": ResourcesExhausted,
    "53300": TooManyConnections,
    "53400": ResourcesExhausted,
    "55P03": LockNotAvailable,
    "57014": StatementTimeout,
    "57P01": ShuttingDown,
    "57P02": ShuttingDown,
    "57P03": StartingUp,
    "57P05": ConnectionLost,
}

# First match wins. Sources: PostgreSQL's src/backend/{libpq,utils/init,postmaster},
# src/interfaces/libpq/fe-*.c, the C library's strerror, psycopg, and PgBouncer's own words.
_BY_WORDS: tuple[tuple[str, type[DatabaseFailure]], ...] = (
    (r"failed to resolve host|could not translate host name", UnknownHost),
    (r"timeout expired|connection timed out|due to timeout", ConnectTimeout),
    (r"no password supplied|empty password", PasswordMissing),
    (r"password authentication failed|SASL authentication failed", WrongPassword),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects", NotInPgHba),
    (r'role ".*" does not exist|not permitted to log in|no such user', NoSuchRole),
    (r"too many (clients|connections)|connection slots are reserved", TooManyConnections),
    (r"no more connections allowed|query_wait_timeout", TooManyConnections),
    (r'database ".*" does not exist|no such database', DatabaseMissing),
    (r"starting up|shutting down|recovery mode|not yet accepting|not accepting con", StartingUp),
    (r"terminating connection", ShuttingDown),
    (r"session is (not )?read-only|(is|is not) in hot standby mode", NotPrimary),
    (r"invalid response|expected authentication request|protocol version", NotPostgres),
    (r"certificate|\bSSL\b|\bTLS\b|sslmode|private key", TlsFailed),
    (r"authentication|SCRAM|channel binding|require_auth|permission denied", AuthenticationFailed),
    (r"unrecognized configuration parameter|unsupported startup param", RejectedOption),
    (r"invalid value for parameter|permission denied to set", RejectedOption),
    (r"pgbouncer cannot connect|server login (failed|has been failing)", ServerUnreachable),
    (r"Connection refused|No such file or directory", ConnectionRefused),
    (r"closed the connection|Connection reset|Broken pipe|EOF detected", ConnectionLost),
    (r"connection (is lost|is closed|not open)|no connection to the server", ConnectionLost),
)

_HOST_IS_FINAL = (AuthenticationFailed, DatabaseMissing, TooManyConnections, RejectedOption)
"""After these libpq does not try the next host: this one did answer."""


def translate(
    error: Exception, target: DatabaseUrl, *, address: str | None = None
) -> DatabaseFailure:
    """Tell a driver's error, or SQLAlchemy's wrapper of one, as our own.

    ``address`` names the one host of ``target`` that it came from. The caller raises the
    result ``from`` the error.
    """
    original = driver_error(error) or error
    detail = _detail(original)
    kind = _by_sqlstate(original) or _by_words(original, str(original))
    return kind.at(target, address=address, detail=detail)


def driver_error(error: BaseException) -> psycopg.Error | None:
    """Find psycopg's error in ``error``: itself, or what SQLAlchemy's DBAPIError wraps."""
    original = getattr(error, "orig", error)
    return original if isinstance(original, psycopg.Error) else None


@contextmanager
def translate_errors(target: DatabaseUrl) -> Iterator[None]:
    """Turn what the driver or SQLAlchemy raises within into our own errors.

    Raises:
        DatabaseFailure: from psycopg's error. Other errors pass unchanged.
    """
    try:
        yield
    except Exception as error:
        original = driver_error(error)
        if original is None:
            raise
        # Not from SQLAlchemy's wrapper: its text repeats the statement and its parameters.
        raise translate(original, target) from original


def is_final(failure: DatabaseFailure, target: DatabaseUrl) -> bool:
    """Tell whether the other hosts need not be tried, by libpq's rule (manual, 32.1.1.3).

    But for a standby that does not have a new database yet, or is full, while the primary
    is what is asked for.
    """
    if target.parameters.get("target_session_attrs") in ("read-write", "primary"):
        return isinstance(failure, AuthenticationFailed | RejectedOption)
    return isinstance(failure, _HOST_IS_FINAL)


def combine_failures(failures: Sequence[DatabaseFailure], target: DatabaseUrl) -> DatabaseFailure:
    """Make one error of those of several hosts.

    What a server said outweighs that another did not answer; the message names them all.
    """
    unlike = {failure.message: failure for failure in failures}
    if len(unlike) == 1:
        return failures[0]
    chosen = max(unlike.values(), key=_tells)
    every = "; ".join(message.removeprefix("PostgreSQL at ") for message in unlike)
    failure = type(chosen)(f"no host of the database can be used: {every}", hint=chosen.hint)
    failure.__cause__ = chosen.__cause__
    return failure


def _tells(failure: DatabaseFailure) -> int:
    """Rank by how much the error tells: an answer, a refusal, silence."""
    silent = (ConnectTimeout, UnknownHost, ConnectionRefused)
    return -silent.index(type(failure)) - 1 if type(failure) in silent else 0


def _by_sqlstate(error: Exception) -> type[DatabaseFailure] | None:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return None
    if state == "57014" and "user request" in str(error):
        return StatementCancelled
    if state == "28000":
        return _by_words(error, str(error), AuthenticationFailed)
    if state.startswith("08"):
        return _by_words(error, str(error), ConnectionLost)
    return _BY_SQLSTATE.get(state, StatementFailed)


def _by_words(
    error: Exception, text: str, otherwise: type[DatabaseFailure] | None = None
) -> type[DatabaseFailure]:
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return ConnectTimeout
    for pattern, kind in _BY_WORDS:
        if re.search(pattern, text, re.IGNORECASE):
            return kind
    connecting = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return otherwise or (ServerUnreachable if connecting else StatementFailed)


def _detail(error: Exception) -> str:
    """Give the server's or libpq's own words on one line, without what we say already."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = (said or str(error)).partition("\n")[0]
    text = re.sub(r"^connection (failed|is bad): (connection to .*? failed: )?", "", text)
    text = re.sub(r"^[A-Z]+:\s+", "", text)
    return "".join(character for character in text if character.isprintable()).strip()
