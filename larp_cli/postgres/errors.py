"""Translate the errors of PostgreSQL and libpq into larp's own errors. The only place that does.

An error of a statement is recognised by its SQLSTATE (PostgreSQL manual, appendix A). libpq
reports an error while connecting as text only, so it is recognised by that text; a server with
messages in another language falls back to `ServerUnreachable`. Nothing here imports SQLAlchemy.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

import psycopg

from larp_cli.errors import CommandFailed, DatabaseUnreachable, ExitCode, LarpError, Locked
from larp_cli.postgres.url import DatabaseUrl


class DatabaseFailure(LarpError):
    """The server reported an error, or the connection to it failed.

    ``phrase`` continues the sentence "PostgreSQL at db:5432 …". ``phrase`` and ``advice`` may use
    ``{user}``, ``{database}``, ``{setting}`` and ``{safe}`` (the URL without password); in
    ``advice`` these are quoted for the shell. Only ``phrase`` may use ``{detail}``.
    """

    reason: ClassVar[str] = "failed"
    """The reason in a health report."""
    transient: ClassVar[bool] = False
    """Whether the failure may pass by itself, so that retrying makes sense."""
    phrase: ClassVar[str] = "failed: {detail}"
    advice: ClassVar[str | None] = None

    @classmethod
    def at(cls, url: DatabaseUrl, *, address: str | None = None, detail: str = "") -> Self:
        """Create the error for ``url``, or for one ``address`` of its hosts."""
        values = {
            "user": url.user, "database": url.database, "safe": url.safe, "setting": url.setting
        }  # fmt: skip
        quoted = {name: shlex.quote(word) for name, word in values.items()}
        return cls(
            f"PostgreSQL at {address or url.address} {cls.phrase.format(detail=detail, **values)}",
            hint=cls.advice and cls.advice.format(**quoted),
        )


class ServerUnreachable(DatabaseFailure, DatabaseUnreachable):
    """The connection failed for an unknown reason. Retrying may help."""

    reason = "unreachable"
    transient = True
    phrase = "cannot be reached: {detail}"
    advice = "psql {safe}"


class ConnectionRefused(ServerUnreachable):
    """No server listens on that port."""

    reason = "refused"
    phrase = "refused the connection: no server listens there"
    advice = "start the server, then: larp db wait"


class ConnectTimeout(ServerUnreachable):
    """The server did not answer within ``connect_timeout``."""

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
    """57P03: the server is running, but does not accept connections yet."""

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
    """3D000: the server answers, but the database does not exist."""

    reason = "database_missing"
    phrase = "has no database '{database}'"
    advice = "larp db init"


class ReadOnly(ServerUnreachable):
    """25006: a standby, or a read-only session. A failover ends it."""

    reason = "read_only"
    phrase = "is read-only, perhaps a standby"
    advice = "use the primary: list all hosts and add ?target_session_attrs=read-write"


class NotPrimary(ReadOnly):
    """No host is in the state that ``target_session_attrs`` requires."""

    phrase = "is not in the state that target_session_attrs asks for"
    advice = "check which host is the primary, or change target_session_attrs in {setting}"


class AuthenticationFailed(ServerUnreachable):
    """28000: the server rejects the role."""

    reason = "auth"
    transient = False
    phrase = "does not let role '{user}' in: {detail}"
    advice = "check role and password: psql {safe}"


class WrongPassword(AuthenticationFailed):
    """28P01: the password is wrong, or the role does not exist: the server reports both alike."""

    phrase = "does not accept the password of role '{user}', or has no such role"
    advice = "correct {setting}; to test it: psql {safe}"


class PasswordMissing(AuthenticationFailed):
    """The server requires a password, and none is set."""

    phrase = "requires a password for role '{user}', and none is set"
    advice = "set it in {setting}, in PGPASSWORD or in the file named by PGPASSFILE"


class NoSuchRole(AuthenticationFailed):
    """28000: the role does not exist, or may not log in."""

    phrase = "has no role '{user}' that may log in"
    advice = "create it as a superuser: createuser --login --pwprompt {user}"


class NotInPgHba(AuthenticationFailed):
    """28000: no line of ``pg_hba.conf`` admits this role from this address."""

    phrase = "has no line in pg_hba.conf for role '{user}' and database '{database}' from here"
    advice = "add the line (or ?sslmode=require), then on the server: SELECT pg_reload_conf()"


class TlsFailed(ServerUnreachable):
    """The TLS connection could not be established."""

    reason = "tls"
    transient = False
    phrase = "did not establish a TLS connection: {detail}"
    advice = "check sslmode and sslrootcert in {setting}"


class NotPostgres(ServerUnreachable):
    """Another kind of server listens on that port."""

    reason = "not_postgresql"
    transient = False
    phrase = "is not PostgreSQL: it does not speak its protocol"
    advice = "correct host and port in {setting}"


class RejectedOption(ServerUnreachable):
    """The server does not know a startup parameter, or rejects its value."""

    reason = "rejected_option"
    transient = False
    phrase = "rejected a connection option: {detail}"
    advice = "correct the options in {setting} or PGOPTIONS"


class PermissionDenied(DatabaseFailure, CommandFailed):
    """42501: the role lacks a privilege."""

    reason = "permission_denied"
    phrase = "does not let role '{user}' do this: {detail}"
    advice = "GRANT it as the owner; migrations go by DATABASE_MIGRATION_URL, the owner's URL"


class LockNotAvailable(DatabaseFailure, Locked):
    """55P03, 40P01: another session holds the lock."""

    reason = "locked"
    transient = True
    phrase = "did not give the lock in time: {detail}"
    advice = "find the session that holds it: larp db shell -- -c 'TABLE pg_stat_activity'"


class StatementTimeout(DatabaseFailure):
    """57014: ``statement_timeout`` expired. The server answers, so it is not unreachable."""

    exit_code = ExitCode.UNREACHABLE  # a promise: "did not answer in time"
    reason = "timeout"
    transient = True
    phrase = "cancelled a statement that exceeded its timeout"
    advice = "raise DATABASE_STATEMENT_TIMEOUT"


class StatementCancelled(DatabaseFailure, CommandFailed):
    """57014: a user or program cancelled the statement."""

    reason = "cancelled"
    phrase = "cancelled a statement at the request of a user or program"


class ResourcesExhausted(DatabaseFailure, CommandFailed):
    """53100, 53200, 53400: the server's disk or memory is full."""

    phrase = "is out of resources: {detail}"
    advice = "free disk space or memory on the server (see its log), then retry"


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
# src/interfaces/libpq/fe-*.c, the C library's strerror, psycopg, and PgBouncer's messages.
_BY_MESSAGE: tuple[tuple[str, type[DatabaseFailure]], ...] = (
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
"""After these errors libpq does not try the next host, because this one answered."""


def translate(
    error: Exception, target: DatabaseUrl, *, address: str | None = None
) -> DatabaseFailure:
    """Translate an error of the driver, or SQLAlchemy's wrapper of one, into larp's own error.

    ``address`` is the host of ``target`` that the error came from. The caller raises the result
    ``from`` the error.
    """
    original = driver_error(error) or error
    detail = _extract_detail(original)
    kind = _classify_sqlstate(original) or _classify_message(original, str(original))
    return kind.at(target, address=address, detail=detail)


def driver_error(error: BaseException) -> psycopg.Error | None:
    """Return psycopg's error: ``error`` itself, or the one that SQLAlchemy's DBAPIError wraps."""
    original = getattr(error, "orig", error)
    return original if isinstance(original, psycopg.Error) else None


@contextmanager
def translate_errors(target: DatabaseUrl) -> Iterator[None]:
    """Translate the errors that the driver or SQLAlchemy raises inside the block.

    Raises:
        DatabaseFailure: psycopg raised an error. Other errors pass unchanged.
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
    """Return whether to stop trying further hosts, by libpq's rule (manual, 32.1.1.3).

    One exception: when the URL asks for the primary, a standby that is full or does not have the
    new database yet does not end the search.
    """
    if target.parameters.get("target_session_attrs") in ("read-write", "primary"):
        return isinstance(failure, AuthenticationFailed | RejectedOption)
    return isinstance(failure, _HOST_IS_FINAL)


def combine_failures(failures: Sequence[DatabaseFailure], target: DatabaseUrl) -> DatabaseFailure:
    """Combine the errors of several hosts into one.

    Its type is that of a server that answered, if one did. The message names every host.
    """
    by_message = {failure.message: failure for failure in failures}
    if len(by_message) == 1:
        return failures[0]
    chosen = max(by_message.values(), key=_rank_detail)
    every = "; ".join(message.removeprefix("PostgreSQL at ") for message in by_message)
    failure = type(chosen)(f"no host of the database can be used: {every}", hint=chosen.hint)
    failure.__cause__ = chosen.__cause__
    return failure


def _rank_detail(failure: DatabaseFailure) -> int:
    """Rank an error by how much it explains: an answer, then a refusal, then silence."""
    silent = (ConnectTimeout, UnknownHost, ConnectionRefused)
    return -silent.index(type(failure)) - 1 if type(failure) in silent else 0


def _classify_sqlstate(error: Exception) -> type[DatabaseFailure] | None:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return None
    if state == "57014" and "user request" in str(error):
        return StatementCancelled
    if state == "28000":
        return _classify_message(error, str(error), AuthenticationFailed)
    if state.startswith("08"):
        return _classify_message(error, str(error), ConnectionLost)
    return _BY_SQLSTATE.get(state, StatementFailed)


def _classify_message(
    error: Exception, text: str, otherwise: type[DatabaseFailure] | None = None
) -> type[DatabaseFailure]:
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return ConnectTimeout
    for pattern, kind in _BY_MESSAGE:
        if re.search(pattern, text, re.IGNORECASE):
            return kind
    connecting = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return otherwise or (ServerUnreachable if connecting else StatementFailed)


def _extract_detail(error: Exception) -> str:
    """Return the message of the server or libpq as one line, without its prefix."""
    message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = (message or str(error)).partition("\n")[0]
    text = re.sub(r"^connection (failed|is bad): (connection to .*? failed: )?", "", text)
    text = re.sub(r"^[A-Z]+:\s+", "", text)
    return "".join(character for character in text if character.isprintable()).strip()
