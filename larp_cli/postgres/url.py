"""Database URLs: accept every common spelling and pass the result to libpq.

libpq parses the URL and adds what the environment, the service file and its defaults provide.
So hosts, sockets, ``PG*`` and ``PGSERVICE`` mean the same as for ``psql``. Nothing in this
module opens a connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import quote, unquote

import psycopg
from psycopg import conninfo, pq

from larp_cli.errors import ConfigurationError

EXAMPLE = "postgresql://larp:PASSWORD@localhost:5432/larp"

_SCHEMES = (
    "postgresql",
    "postgres",
    "postgresql+psycopg",
    "postgresql+psycopg2",
    "postgresql+asyncpg",
)

# Parameters of asyncpg and SQLAlchemy that libpq calls differently or does not have:
# https://magicstack.github.io/asyncpg/current/api/index.html#asyncpg.connection.connect
_RENAMED = {"ssl": "sslmode", "database": "dbname"}
_DROPPED = frozenset(
    {
        "async_fallback",
        "command_timeout",
        "direct_tls",
        "gsslib",
        "max_cacheable_statement_size",
        "max_cached_statement_lifetime",
        "prepared_statement_cache_size",
        "prepared_statement_name_func",
        "server_settings",
        "statement_cache_size",
        "timeout",
    }
)
_SSL_WORDS = {"true": "require", "on": "require", "1": "require", "false": "disable"}

# Parts of libpq's messages, and what larp says instead. libpq repeats the invalid text, which
# may be part of a password. Source: conninfo_uri_parse_options in fe-connect.c.
_FAULTS = (
    (
        "invalid percent-encoded",
        "contains a % that does not start an escape",
        "write % in a password as %25",
    ),
    ("forbidden value %00", "contains an encoded NUL character", "remove the %00"),
    ("unexpected spaces", "contains a space", "write a space as %20"),
    ("IPv6", "has an invalid IPv6 address", "write it in brackets: postgresql://[::1]:5432/larp"),
    (
        "separator",
        "has an invalid query",
        "write it as ?name=value&name=value, = in a value as %3D",
    ),
    (
        "definition of service",
        "names a service that is not in the service file",
        "set PGSERVICEFILE",
    ),
    ("local user", "names no user, and the system account has no name", "write it like " + EXAMPLE),
    ("weak sslmode", "has too weak an sslmode for sslrootcert=system", "use sslmode=verify-full"),
    ("could not match", "does not give one port for each host", "write host1:5432,host2:5432"),
)

_PROBE = "load_balance_hosts"
"""The last option that libpq validates before it opens a socket, since PostgreSQL 16."""
_PROBE_VALUE = "larp-stops-here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host on which the server may run."""

    name: str
    """Host name, address, or directory of a Unix socket."""
    address: str
    """``hostaddr``: the address to use instead of resolving ``name``; empty if not given."""
    port: str

    @property
    def is_socket(self) -> bool:
        """Whether this is a Unix socket. ``@`` starts the name of an abstract one."""
        return self.name.startswith(("/", "@"))

    @property
    def is_local(self) -> bool:
        """Whether this is the local machine."""
        if self.is_socket or (self.name == "localhost" and not self.address):
            return True
        try:
            return ip_address(self.address or self.name).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Write the host with its port: ``db:5432``, ``[::1]:5432``, ``/tmp/.s.PGSQL.5432``."""
        if self.is_socket:
            return f"{self.name}/.s.PGSQL.{self.port}"
        name = self.name or self.address
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """The host, database and user to connect to.

    `normalise_url` creates it. Neither ``str`` nor ``repr`` shows a secret.
    """

    parameters: Mapping[str, str] = field(repr=False, hash=False)
    """The URL's parameters under libpq's names, **password included**, for ``psycopg.connect``."""
    database: str
    user: str
    hosts: tuple[Host, ...]
    setting: str = field(default="DATABASE_URL", compare=False)
    """Name of the setting with this URL."""

    def with_database(self, name: str) -> DatabaseUrl:
        """Return the URL of another database on the same server."""
        return resolve_url({**self.parameters, "dbname": name}, setting=self.setting)

    @property
    def conninfo(self) -> str:
        """The connection string for libpq, **password included**."""
        return conninfo.make_conninfo("", **self.parameters)

    @property
    def host(self) -> str:
        """The host names, or socket directories, joined by commas."""
        return ",".join(host.name or host.address for host in self.hosts)

    @property
    def address(self) -> str:
        """The hosts with their ports, joined by commas."""
        return ",".join(str(host) for host in self.hosts)

    @property
    def is_local(self) -> bool:
        """Whether every host is the local machine."""
        return all(host.is_local for host in self.hosts)

    @property
    def safe(self) -> str:
        """The URL without password and parameters. It works with ``psql``."""
        path = quote(self.database, safe="")
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        if any(host.is_socket for host in self.hosts):
            ports = ",".join(host.port for host in self.hosts)
            return f"postgresql://{user}/{path}?host={quote(self.host, safe='/,@')}&port={ports}"
        return f"postgresql://{user}{self.address}/{path}"

    def environment(self) -> dict[str, str]:
        """Return the ``PG*`` variables that make psql or pg_dump use the same database.

        Use this to pass a password to a program: other users can see argument lists. Parameters
        without a variable, such as keepalives, are left out.
        """
        names = _variables()
        given = {**self.parameters, "dbname": self.database}
        return {names[name]: value for name, value in given.items() if name in names}

    def __str__(self) -> str:
        """Show the URL without its secrets."""
        return self.safe


def normalise_url(text: str, *, setting: str = "DATABASE_URL") -> DatabaseUrl:
    """Parse a URL as libpq does.

    ``setting`` is the name of the setting, for error messages.

    Raises:
        ConfigurationError: This is not a PostgreSQL URL, or libpq rejects it. The message never
            contains any part of the URL.
    """
    uri = _libpq_uri(text.strip(), setting)
    try:
        given = conninfo.conninfo_to_dict(uri)
    except psycopg.ProgrammingError as error:
        raise _faulty(str(error), uri, setting) from None
    return resolve_url({name: str(value) for name, value in given.items()}, setting=setting)


def resolve_url(parameters: Mapping[str, str], *, setting: str = "DATABASE_URL") -> DatabaseUrl:
    """Create a URL from parameters under libpq's names (`DatabaseUrl.parameters`).

    Raises:
        ConfigurationError: libpq rejects the parameters.
    """
    parameters = dict(parameters)
    options = _resolve(parameters, setting)
    return DatabaseUrl(
        parameters=MappingProxyType(parameters),
        database=options["dbname"],
        user=options.get("user", ""),
        hosts=tuple(_hosts(options, setting)),
        setting=setting,
    )


def _variables() -> dict[str, str]:
    """Map each option of libpq to its environment variable, if it has one."""
    return {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar
    }


def _libpq_uri(text: str, setting: str) -> str:
    """Rewrite the URL with the scheme and parameter names that libpq uses."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise ConfigurationError(
            f"{setting} is not a PostgreSQL URL: it does not start with postgresql://",
            hint=f"write it like {EXAMPLE}",
        )
    if "\0" in rest or not rest.isprintable():
        raise ConfigurationError(
            f"{setting} contains a character that is not printable",
            hint="write it percent-encoded, a newline as %0A",
        )
    credentials, at, _ = rest.partition("@")
    if not at or "/" in credentials:
        credentials = at = ""
    head, question, query = rest.removeprefix(credentials + at).partition("?")
    if "@" in head:
        # libpq parses user:pass/word@host as host "user" with port "pass", and user:p@ss@host as
        # host "ss@host". Its messages would then show parts of the password.
        raise ConfigurationError(
            f"{setting} has an unescaped @ or / in its user, password or database name",
            hint="write @ as %40 and / as %2F",
        )
    return f"postgresql://{credentials}{at}{head}{question}{_libpq_query(query)}"


def _libpq_query(query: str) -> str:
    """Translate or drop the parameters that only asyncpg or SQLAlchemy know."""
    parts = [part.partition("=") for part in query.split("&")]
    kept = [
        _renamed(name, value) if separator else name
        for name, separator, value in parts
        if name not in _DROPPED and name not in ("", "host", "port")
    ]
    return "&".join([*kept, *_places(parts)])


def _renamed(name: str, value: str) -> str:
    if name == "ssl":
        value = _SSL_WORDS.get(value.lower(), value)
    return f"{_RENAMED.get(name, name)}={value}"


def _places(parts: list[tuple[str, str, str]]) -> list[str]:
    """Join SQLAlchemy's repeated ``host=name:port`` into libpq's ``host=a,b&port=1,2``."""
    ports = [value for name, _, value in parts if name == "port"]
    hosts: list[str] = []
    for name, _, value in parts:
        for host in unquote(value).split(",") if name == "host" else ():
            found = re.fullmatch(r"([^:/@]+):(\d+)", host)
            hosts.append(found[1] if found else host)
            ports += [found[2]] if found else []
    named = (("host", quote(",".join(hosts), safe="/,:@")), ("port", ",".join(ports)))
    return [f"{name}={value}" for name, value in named if value]


def _faulty(said: str, uri: str, setting: str) -> ConfigurationError:
    """Explain libpq's error without the text that libpq repeats from the URL."""
    for fragment, fault, hint in _FAULTS:
        if fragment in said:
            return ConfigurationError(f"{setting} {fault}", hint=hint)
    unknown = re.search(r'invalid URI query parameter: "([a-z_]+)"', said)
    # Without a second @, the query cannot contain part of a password.
    if unknown and uri.rpartition("@")[2].partition("?")[2]:
        return ConfigurationError(
            f"{setting} has a query parameter that libpq does not know: {unknown[1]}",
            hint=f"remove '{unknown[1]}' from its query",
        )
    option = re.search(r'invalid "?(\w+)"? value', said)
    variables = _variables()
    if option and option[1] in variables:
        return ConfigurationError(
            f"{setting} has a value of {option[1]} that libpq does not know",
            hint=f"correct {option[1]} in its query, or in {variables[option[1]]}",
        )
    return ConfigurationError(
        f"{setting} is not a URL that libpq accepts", hint=f"write it like {EXAMPLE}"
    )


def _resolve(parameters: Mapping[str, str], setting: str) -> dict[str, str]:
    """Get every option that libpq would use: from URL, service file, environment, defaults.

    An invalid value for the option that libpq checks last makes it stop before it opens a
    socket. A dummy password keeps it from reading the password file.
    """
    if parameters.get(_PROBE) not in (None, "disable", "random"):
        raise _faulty(f"invalid {_PROBE} value", "", setting)
    probe = {**parameters, "password": "-", _PROBE: _PROBE_VALUE}
    connection = pq.PGconn.connect_start(conninfo.make_conninfo("", **probe).encode())
    try:
        said = connection.get_error_message()
        if _PROBE_VALUE not in said:
            raise _faulty(said, "", setting)
        options = {o.keyword.decode(): o.val.decode() for o in connection.info if o.val}
        # libpq's default host is not among the options: it is a socket directory fixed at build.
        return {"host": connection.host.decode(), **options} if _is_bare(options) else options
    finally:
        connection.finish()


def _is_bare(options: Mapping[str, str]) -> bool:
    return not options.get("host") and not options.get("hostaddr")


def _hosts(resolved: Mapping[str, str], setting: str) -> Iterator[Host]:
    names = resolved.get("host", "").split(",")
    addresses = resolved.get("hostaddr", "").split(",")
    ports = resolved.get("port", "").split(",")
    for index in range(max(len(names), len(addresses))):
        port = (ports[index] if len(ports) > 1 else ports[0]) or "5432"
        name = names[index] if index < len(names) else ""
        if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise ConfigurationError(
                f"{setting} has a port that is not a number from 1 to 65535",
                hint="write the port like localhost:5432, and : in a user name as %3A",
            )
        yield Host(
            name=name,
            address=addresses[index] if index < len(addresses) else "",
            port=port,
        )
