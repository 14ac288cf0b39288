"""The URL in every spelling, and no secret in any error."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.errors import ConfigurationError, ExitCode
from larp_cli.postgres.url import DatabaseUrl, normalise_url


def refusal(text: str) -> ConfigurationError:
    """Give the error that a URL ends in."""
    with pytest.raises(ConfigurationError) as caught:
        normalise_url(text)
    return caught.value


@pytest.mark.parametrize(
    "scheme",
    [
        "postgresql",
        "postgres",
        "postgresql+psycopg",
        "postgresql+psycopg2",
        "postgresql+asyncpg",
        "PostgreSQL",
    ],
)
def test_every_scheme_means_the_same_database(scheme: str) -> None:
    """Whatever driver the scheme names, psycopg gets the same parameters."""
    url = normalise_url(f"{scheme}://larp:sesame@db:5433/game")

    assert url == normalise_url("postgresql://larp:sesame@db:5433/game")
    assert dict(url.parameters) == {
        "user": "larp",
        "password": "sesame",
        "host": "db",
        "port": "5433",
        "dbname": "game",
    }
    assert (url.database, url.user, url.host, url.address) == ("game", "larp", "db", "db:5433")


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p%40ss", "p@ss"),
        ("p%25s%2Fs", "p%s/s"),
        ("p:a:ss", "p:a:ss"),
        ("p'a\"ss", "p'a\"ss"),
        ("p?a#ss&=[]", "p?a#ss&=[]"),
        ("p\\ss", "p\\ss"),
        ("p%20ss", "p ss"),
        ("pässwörd", "pässwörd"),
        ("", None),
    ],
)
def test_a_password_arrives_as_it_was_meant(written: str, password: str | None) -> None:
    """Escaped and raw special characters reach libpq as the password they spell."""
    url = normalise_url(f"postgresql://larp:{written}@db/game")

    assert url.parameters.get("password") == password
    assert normalise_url(f"postgresql://{url.host}/").host == "db"


@pytest.mark.parametrize(
    "text",
    ["postgresql://larp:s%40same@db/game", "postgresql://larp@db/game?password=s%40same"],
)
def test_no_display_form_shows_the_password(text: str) -> None:
    """Neither str, repr nor the safe URL holds the password, in any spelling."""
    url = normalise_url(text)

    for shown in (str(url), repr(url), url.safe, f"{url}"):
        assert "same" not in shown
    assert url.safe == "postgresql://larp@db:5432/game"
    assert "s@same" in url.conninfo


def test_several_hosts_keep_their_ports_and_options() -> None:
    """Several hosts and target_session_attrs are left to libpq as they are."""
    url = normalise_url(
        "postgresql://larp@a:5432,b:5433/game?target_session_attrs=read-write&sslmode=require"
    )

    assert url.address == "a:5432,b:5433"
    assert url.parameters["target_session_attrs"] == "read-write"
    assert url.parameters["sslmode"] == "require"
    assert url.safe == "postgresql://larp@a:5432,b:5433/game"


def test_one_port_serves_all_hosts() -> None:
    """A single port counts for every host, as in libpq."""
    assert normalise_url("postgresql:///game?host=a,b&port=5433").address == "a:5433,b:5433"


def test_sqlalchemys_repeated_hosts_are_joined() -> None:
    """Several hosts in SQLAlchemy's own way mean the same as in libpq's."""
    url = normalise_url("postgresql+psycopg://larp@/game?host=a:5432&host=b:5433")

    assert url.address == "a:5432,b:5433"


@pytest.mark.parametrize(
    "text",
    ["postgresql://%2Frun%2Fpg/game", "postgresql:///game?host=/run/pg"],
)
def test_a_unix_socket_can_be_named_in_both_ways(text: str) -> None:
    """A socket's directory as host, or in the query, is the same place, and local."""
    url = normalise_url(text)

    assert url.address == "/run/pg/.s.PGSQL.5432"
    assert url.is_local
    assert normalise_url(url.safe).address == url.address


def test_ipv6_hosts_are_shown_in_brackets() -> None:
    """An IPv6 address is read and shown in brackets."""
    url = normalise_url("postgresql://larp@[::1]:5433/game")

    assert (url.host, url.address, url.is_local) == ("::1", "[::1]:5433", True)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("postgresql://localhost/game", True),
        ("postgresql://127.0.0.1/game", True),
        ("postgresql://127.9.9.9,localhost/game", True),
        ("postgresql://localhost,db/game", False),
        ("postgresql://localhost/game?hostaddr=10.0.0.1", False),
        ("postgresql://db/game", False),
    ],
)
def test_local_means_this_very_machine(text: str, local: bool) -> None:
    """A URL is local only if every host is a socket or a loopback address."""
    assert normalise_url(text).is_local is local


def test_empty_parts_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the URL leaves open, PG* variables fill in."""
    monkeypatch.setenv("PGHOST", "envhost")
    monkeypatch.setenv("PGPORT", "7777")
    monkeypatch.setenv("PGUSER", "envuser")

    url = normalise_url("postgresql:///game")

    assert url.safe == "postgresql://envuser@envhost:7777/game"
    assert dict(url.parameters) == {"dbname": "game"}


def test_a_service_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service named in the URL or the environment gives host and database."""
    services = tmp_path / "services.conf"
    services.write_text("[larp]\nhost=svc\nport=6000\ndbname=game\nuser=larp\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))

    assert normalise_url("postgresql://?service=larp").safe == "postgresql://larp@svc:6000/game"
    monkeypatch.setenv("PGSERVICE", "larp")
    assert normalise_url("postgresql://").address == "svc:6000"


@pytest.mark.parametrize(
    ("given", "sslmode"),
    [("require", "require"), ("verify-full", "verify-full"), ("true", "require")],
)
def test_asyncpgs_ssl_is_sslmode(given: str, sslmode: str) -> None:
    """The ssl parameter of asyncpg becomes libpq's sslmode."""
    url = normalise_url(f"postgresql+asyncpg://larp@db/game?ssl={given}")

    assert url.parameters["sslmode"] == sslmode


def test_parameters_that_only_asyncpg_knows_are_dropped() -> None:
    """A URL written for asyncpg works without being edited."""
    url = normalise_url(
        "postgresql+asyncpg://larp@db/game?prepared_statement_cache_size=0"
        "&statement_cache_size=0&command_timeout=5&timeout=2.5&application_name=game"
    )

    assert set(url.parameters) == {"user", "host", "dbname", "application_name"}


def test_another_database_on_the_same_server() -> None:
    """Only the database changes; the password goes along."""
    url = normalise_url("postgresql://larp:sesame@db/game").with_database("my db")

    assert url.database == "my db"
    assert url.safe == "postgresql://larp@db:5432/my%20db"
    assert url.parameters["password"] == "sesame"


def test_another_program_gets_the_password_by_its_environment() -> None:
    """The PG* variables for psql and pg_dump hold all that the URL says."""
    url = normalise_url("postgresql://larp:sesame@db:5433/game?sslmode=require")

    assert url.environment() == {
        "PGUSER": "larp",
        "PGPASSWORD": "sesame",
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGDATABASE": "game",
        "PGSSLMODE": "require",
    }


def test_surrounding_white_space_is_no_part_of_the_url() -> None:
    """The newline at the end of a secrets file does no harm."""
    assert normalise_url(" postgresql://larp@db/game\n").database == "game"


def test_a_url_can_be_hashed() -> None:
    """A URL can be a key, although its parameters are a mapping."""
    assert len({normalise_url("postgresql://db/game"), normalise_url("postgresql://db/game")}) == 1


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("sesame", "not a PostgreSQL URL", "postgresql://"),
        ("", "not a PostgreSQL URL", "postgresql://"),
        ("mysql://larp:sesame@db/game", "not a PostgreSQL URL", "postgresql://"),
        ("host=db password=sesame", "not a PostgreSQL URL", "postgresql://"),
        ("postgresql://larp:ses%zzame@db/game", "does not start an escape", "%25"),
        ("postgresql://larp:ses%00ame@db/game", "NUL", "%00"),
        ("postgresql://larp:ses\0ame@db/game", "not printable", "%0A"),
        ("postgresql://larp:ses\name@db/game", "not printable", "%0A"),
        ("postgresql://larp:ses\udcffame@db/game", "not printable", "%0A"),
        ("postgresql://larp:ses ame@db/game", "a space", "%20"),
        ("postgresql://larp:x@sesame@db/game", "an unescaped @ or /", "%40"),
        ("postgresql://larp:ses/ame@db/game", "an unescaped @ or /", "%2F"),
        ("postgresql://larp:12/sesame@db/game", "an unescaped @ or /", "%2F"),
        ("postgresql://larp:sesame/game", "a port that", "localhost:5432"),
        ("postgresql://larp:x@db:sesame/game", "a port that", "localhost:5432"),
        ("postgresql://larp:sesame@db:0/game", "a port that", "localhost:5432"),
        ("postgresql://larp:sesame@db:70000/game", "a port that", "localhost:5432"),
        ("postgresql://larp:sesame@[::1/game", "IPv6", "[::1]"),
        ("postgresql://larp@db/game?password=se=same", "an invalid query", "%3D"),
        ("postgresql://larp:sesame@db/game?sesame", "an invalid query", "name=value"),
        ("postgresql://db/game?schema=sesame", "does not know: schema", "remove 'schema'"),
        ("postgresql://larp@db/game?sesame=x@y", "libpq accepts", "postgresql://"),
        ("postgresql://db/game?sslmode=sesame", "value of sslmode", "PGSSLMODE"),
        ("postgresql://db/game?load_balance_hosts=sesame", "load_balance_hosts", "PGLOADBALANCE"),
        ("postgresql://db/game?target_session_attrs=sesame", "target_session_attrs", "PGTARGET"),
        ("postgresql://a/b?sslmode=require&sslrootcert=system", "too weak", "verify-full"),
        ("postgresql://a,b,c/game?port=1,2", "one port for each host", "host1:5432"),
        ("postgresql://db/game?service=sesame", "service", "PGSERVICEFILE"),
    ],
)
def test_a_wrong_url_is_explained_without_being_shown(text: str, message: str, hint: str) -> None:
    """Each fault has its own words and a hint, and no piece of the URL's secrets."""
    error = refusal(text)

    assert error.exit_code is ExitCode.CONFIGURATION
    assert error.message.startswith("DATABASE_URL ")
    assert message in error.message
    assert hint in (error.hint or "")
    for piece in ("sesame", "ses%", "ame@"):
        assert piece not in f"{error.message} {error.hint}"
    assert error.__cause__ is None


def test_the_setting_is_named_as_the_user_knows_it() -> None:
    """A fault in another setting's URL names that setting."""
    with pytest.raises(ConfigurationError, match="^DATABASE_MIGRATION_URL "):
        normalise_url("nonsense", setting="DATABASE_MIGRATION_URL")


def test_parsing_opens_no_connection() -> None:
    """A host that does not exist is no fault of the URL."""
    assert isinstance(normalise_url("postgresql://nowhere.invalid:1/game"), DatabaseUrl)
