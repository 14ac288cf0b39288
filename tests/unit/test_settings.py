"""The settings: what is taken, what is refused, and that no fault repeats a value."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest

from larp_cli.errors import ExitCode
from larp_cli.settings import Environment, SettingsInvalid, load_settings, make_redactor
from tests.settings import STRONG_KEY, faults, load

pytestmark = pytest.mark.usefixtures("only_our_environment")

PRODUCTION = {
    "environment": "production",
    "database_url": "postgresql://larp:pw@db/larp",
    "secret_key": STRONG_KEY,
}
PASSWORDS = (
    "se%same",
    "se%40same",
    "se@same",
    "se:same",
    "se'same",
    'se"same',
    "se same",
    "se/same",
    "sésame",
    "開け胡麻",
    "{sesame}",
)


# --- validation ---


def test_all_faults_are_told_at_once() -> None:
    """Nobody wants to find the second fault after mending the first."""
    with pytest.raises(SettingsInvalid) as caught:
        load(
            **{
                "environment": "production",
                "debug": True,
                "database_pool_size": 0,
                "serve_port": "x",
            }
        )

    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert caught.value.hint == "larp config check"
    assert caught.value.message == (
        "5 settings are wrong:\n"
        "  DEBUG: must be off in production\n"
        "  DATABASE_URL: must be set in production, where the embedded database is refused\n"
        "  DATABASE_POOL_SIZE: must be a whole number ≥ 1\n"
        "  SECRET_KEY: is a placeholder, refused in production; make one with "
        "`larp config secret`\n"
        "  SERVE_PORT: must be a whole number from 0 to 65535"
    )


def test_one_fault_is_told_in_the_singular() -> None:
    """The message is a sentence."""
    with pytest.raises(SettingsInvalid, match="^1 setting is wrong:\n  LOG_LEVEL: must be one of"):
        load(**{"log_level": "loud"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "sesame"),
        ("debug", "sesame"),
        ("project_name", " "),
        ("api_v1_prefix", "api"),
        ("api_v1_prefix", "/api/"),
        ("api_v1_prefix", "/"),
        ("api_v1_prefix", "/a sesame"),
        ("larp_home", "~nobody-of-that-name/larp"),
        ("database_url", "mysql://larp:sesame@db/larp"),
        ("database_url", "host=db password=sesame"),
        ("database_url", "postgresql:db"),
        ("database_schema", "1larp"),
        ("database_schema", "sesame-manager"),
        ("database_schema", 'a"b'),
        ("database_schema", "pg_larp"),
        ("database_schema", "information_schema"),
        ("database_schema", "l" * 64),
        ("database_schema", "ü" * 32),
        ("database_pool_size", "0"),
        ("database_pool_size", "sesame"),
        ("database_max_overflow", "-1"),
        ("database_pool_timeout", "0"),
        ("database_pool_timeout", "nan"),
        ("database_connect_timeout", "inf"),
        ("database_statement_timeout", "0.0001"),
        ("migration_lock_timeout", "1e9"),
        ("migration_lock_retries", "-1"),
        ("migration_mutex_wait", "-1"),
        ("algorithm", "sesame"),
        ("access_token_expire_minutes", "0"),
        ("cors_origins", "sesame.example"),
        ("cors_origins", "https://larp.example/"),
        ("cors_origins", "https://larp.example:99999"),
        ("cors_origins", "https://user:sesame@larp.example"),
        ("cors_origins", "[1]"),
        ("cors_origins", "[sesame"),
        ("log_format", "sesame"),
        ("serve_host", "127.0.0.1:8000"),
        ("serve_host", "http://sesame"),
        ("serve_port", "65536"),
        ("serve_port", "-1"),
        ("serve_drain_seconds", "sesame"),
    ],
)
def test_a_wrong_value_is_one_fault_that_does_not_repeat_it(name: str, value: str) -> None:
    """The setting is named, and what it must be; what it was may be a secret."""
    found = faults(**{name: value})

    assert list(found) == [name.upper()]
    assert found[name.upper()].startswith(("must ", "entry "))
    assert "sesame" not in found[name.upper()]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("environment", "Production ", Environment.PRODUCTION),
        ("database_schema", "Größe_$1", "Größe_$1"),
        ("cors_origins", "https://A.example, http://localhost:3000,", "two"),
        ("cors_origins", '["https://a.example", "http://localhost:3000"]', "two"),
        ("cors_origins", "*", ("*",)),
        ("cors_origins", "http://[::1]:3000", ("http://[::1]:3000",)),
        ("serve_host", "::", "::"),
        ("serve_port", 0, 0),
        ("migration_mutex_wait", "0", 0.0),
        ("health_interval", "0.25", 0.25),
        ("debug", "on", True),
    ],
)
def test_a_right_value_is_taken(name: str, value: object, expected: object) -> None:
    """What people write is understood, spaces around it included."""
    variables = {name: value} | ({} if value != "Production " else PRODUCTION)

    if expected == "two":
        expected = ("https://a.example", "http://localhost:3000")
    assert getattr(load(**variables), name) == expected


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_of_the_scheme_is_taken(scheme: str) -> None:
    """Providers, libpq and SQLAlchemy each write it in their own way."""
    url = f"{scheme}://u:p%25w@one:5432,[::1]:5433/larp?target_session_attrs=read-write"

    settings = load(**{"database_url": url, "database_migration_url": url})

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == url


def test_a_migration_url_alone_is_refused() -> None:
    """The embedded database would be used, and another one migrated."""
    assert faults(database_migration_url="postgresql://db/larp") == {
        "DATABASE_MIGRATION_URL": "needs DATABASE_URL, which is not set"
    }


@pytest.mark.parametrize("path", ["~/larp", "larp"])
def test_larp_home_is_made_absolute(path: str, tmp_path: Path) -> None:
    """The server that runs there has another working directory."""
    assert load(**{"larp_home": path}).larp_home == tmp_path / "larp"


@pytest.mark.parametrize(("user", "beginning"), [(0, "/var/lib/larp"), (1000, "~")])
def test_larp_home_depends_on_the_account(
    user: int, beginning: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As root PostgreSQL runs under another account, which cannot reach into a home directory."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    home = str(load_settings().larp_home)

    assert home.startswith(beginning.replace("~", str(tmp_path)))


# --- production ---


def test_production_takes_sound_settings() -> None:
    """The strict rules can be met."""
    assert load(**PRODUCTION).production


@pytest.mark.parametrize(
    "key",
    [
        "short",
        "q7GmZ0sVx2LrT9cYb4HnKd8WfJpE6uA",
        "your-secret-key-here-your-secret-key-here",
        "changeme-0123456789-0123456789-0123456789",
        "secret" * 8,
        "q7GmZ0sVx2LrT9cY" * 2,
        "a" * 64,
        "this-is-a-placeholder-for-the-real-thing",
        "<paste the output of `larp config secret`>" + "example",
    ],
)
def test_production_refuses_a_key_that_can_be_guessed(key: str) -> None:
    """Who guesses the key can be anyone; development does not mind."""
    found = faults(**PRODUCTION | {"secret_key": key})

    assert list(found) == ["SECRET_KEY"]
    assert key not in found["SECRET_KEY"]
    assert load(**{"secret_key": key}).secret_key.get_secret_value() == key


@pytest.mark.parametrize(
    ("name", "value"), [("debug", "true"), ("cors_origins", "*"), ("database_url", None)]
)
def test_production_refuses_what_development_needs(name: str, value: object) -> None:
    """Each convenience of development is a hole in production."""
    assert list(faults(**PRODUCTION | {name: value})) == [name.upper()]


# --- secrets ---


@pytest.mark.parametrize("password", PASSWORDS)
def test_no_fault_and_no_traceback_holds_a_password(password: str) -> None:
    """A password in the wrong place, or in a URL that is refused, is in no text of ours."""
    variables = {
        **PRODUCTION,
        **dict.fromkeys(
            ("environment", "debug", "cors_origins", "serve_port", "log_level"), password
        ),
        "database_url": f"mysql://larp:{password}@db/larp",
        "database_migration_url": f"larp:{password}",
        "database_schema": f"-{password}",
        "api_v1_prefix": password,
        "serve_host": f"http://{password}",
    }

    with pytest.raises(SettingsInvalid) as caught:
        load(**variables)

    assert len(caught.value.faults) == 10
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.faults)
    assert password not in told
    assert caught.value.__context__ is None


@pytest.mark.parametrize("password", PASSWORDS)
def test_the_secrets_of_the_settings_seed_a_redactor(password: str) -> None:
    """Every secret among the settings is known, as it is written and as it is meant."""
    encoded = quote(password, safe="")
    settings = load(
        **{
            "database_url": f"postgresql://larp:{encoded}@db/larp",
            "database_migration_url": f"postgresql:///larp?password={encoded}-two",
            "secret_key": f"key-{password}",
            "health_details_token": f"token-{password}",
        }
    )

    redactor = make_redactor(settings)
    secrets = redactor.secrets

    assert {password, encoded, f"{password}-two", f"key-{password}"} <= set(secrets)
    assert f"token-{password}" in secrets
    text = f"{password} {encoded} {password}-two key-{password} token-{password} {settings!r}"
    assert password not in redactor.redact(text)
    assert password not in repr(settings)


def test_the_password_of_libpq_is_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable works as in libpq, and so its value must be hidden as well."""
    monkeypatch.setenv("PGPASSWORD", "open-sesame")

    assert make_redactor(load_settings()).secrets == ("open-sesame",)


def test_the_names_in_settings_and_environment_are_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that messages show: of the schema, in both URLs, and in the variables of libpq."""
    monkeypatch.setenv("PGUSER", "someone")
    settings = load(
        database_url="postgresql://app:sesame@db/shop",
        database_migration_url="postgresql://owner:sesame@db/shop",
        database_schema="goods",
    )

    names = set(make_redactor(settings).public_names)

    assert {"app", "owner", "db", "shop", "goods", "someone"} <= names


def test_the_settings_cannot_be_changed() -> None:
    """What was validated as a whole stays so."""
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.debug = True  # type: ignore[misc]


def test_a_details_token_of_blanks_is_none() -> None:
    """An empty token would be anybody's."""
    with pytest.raises(SettingsInvalid, match="HEALTH_DETAILS_TOKEN: must not be empty"):
        load(**{"health_details_token": "  "})
