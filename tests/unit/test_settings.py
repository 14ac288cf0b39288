"""The settings: where they come from, what is refused, and that no fault repeats a value."""

from __future__ import annotations

import itertools
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from larp_cli.errors import ExitCode
from larp_cli.redaction import Redactor
from larp_cli.settings import (
    Environment,
    LogFormat,
    LogLevel,
    Settings,
    SettingsInvalid,
    load_settings,
    origins,
    secret_values,
)

STRONG_KEY = "q7GmZ0sVx2LrT9cYb4HnKd8WfJpE6uAi"
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


@pytest.fixture(autouse=True)
def _only_our_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings and files of whoever runs the tests out of them."""
    ours = {*Settings.model_fields, "pgpassword"}
    for name in [name for name in os.environ if name.lower() in ours]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def faults(**overrides: object) -> dict[str, str]:
    """Return the faults of settings that must be refused, by name."""
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(overrides)
    return {fault.name: fault.message for fault in caught.value.faults}


# --- sources ---


def _by_flag(value: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    return {"project_name": value}


def _by_environment(value: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("PROJECT_NAME", value)
    return {}


def _by_dotenv(value: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    Path(".env").write_text(f'PROJECT_NAME="{value}"\n', encoding="utf-8")
    return {}


def _by_secret_file(value: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    Path("secrets").mkdir()
    Path("secrets/PROJECT_NAME").write_text(f"{value}\n", encoding="utf-8")
    monkeypatch.setenv("SECRETS_DIR", "secrets")
    return {}


def _by_default(value: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    return {}


SOURCES: dict[str, Callable[[str, pytest.MonkeyPatch], dict[str, object]]] = {
    "flag": _by_flag,
    "environment": _by_environment,
    ".env": _by_dotenv,
    "secrets file": _by_secret_file,
    "default": _by_default,
}


@pytest.mark.parametrize(("stronger", "weaker"), list(itertools.combinations(SOURCES, 2)))
def test_the_stronger_source_wins(
    stronger: str, weaker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags, environment, .env, secrets files, defaults: in this order, for every pair."""
    overrides = SOURCES[weaker]("weaker", monkeypatch)
    overrides |= SOURCES[stronger]("stronger", monkeypatch)

    assert load_settings(overrides).project_name == "stronger"
    assert origins(overrides)["PROJECT_NAME"].startswith(stronger)


def test_every_setting_has_a_default() -> None:
    """A fresh checkout works with no configuration at all, and says that all is default."""
    settings = load_settings()

    assert settings.environment is Environment.DEVELOPMENT
    assert settings.database_url is None
    assert settings.database_schema == "larp_manager"
    assert settings.database_pool_size == 20
    assert settings.serve_port == 8000
    assert set(origins().values()) == {"default"}


def test_the_origin_of_a_secret_names_its_file(tmp_path: Path) -> None:
    """An operator with several mounts wants to know which file it was."""
    (tmp_path / "database_url").write_text("postgresql://db/larp")

    found = origins({"secrets_dir": tmp_path})

    assert found["DATABASE_URL"] == f"secrets file {tmp_path}/database_url"
    assert found["SECRETS_DIR"] == "flag"


def test_the_directory_says_where_dotenv_lies(tmp_path: Path) -> None:
    """A caller elsewhere names the directory of its .env."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".env").write_text("SERVE_PORT=9000\n")

    assert load_settings(directory=tmp_path / "there").serve_port == 9000
    assert load_settings().serve_port == 8000


@pytest.mark.parametrize("name", ["LOG_FORMAT", "log_format", "Log_Format"])
def test_names_are_taken_in_any_case(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable's case does not matter, nor does that of a word it is set to."""
    monkeypatch.setenv(name, "JSON")

    assert load_settings().log_format is LogFormat.JSON


@pytest.mark.parametrize("name", ["SECRET_KEY", "secret_key", "Secret_Key"])
def test_a_secrets_file_is_taken_in_any_case_without_its_newline(name: str, tmp_path: Path) -> None:
    """An editor's newline at the end of the file is no part of the secret."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text(f"{STRONG_KEY}\n")

    settings = load_settings({"secrets_dir": str(tmp_path / "run")})

    assert settings.secret_key.get_secret_value() == STRONG_KEY


def test_secrets_dir_may_be_named_in_dotenv(tmp_path: Path) -> None:
    """Every stronger source can say where the secrets lie."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "SERVE_PORT").write_text("9000")
    (tmp_path / ".env").write_text("SECRETS_DIR=run\n")

    assert load_settings().serve_port == 9000


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "HEALTH_DETAILS_TOKEN", "SERVE_PORT", "LARP_HOME"]
)
def test_an_empty_variable_is_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass ${NAME:-} on; that means unset, in every source."""
    monkeypatch.setenv(name, "")
    Path(".env").write_text(f"{name}=\n")
    Path("run").mkdir()
    Path("run", name).write_text("\n")

    assert origins({"secrets_dir": "run"})[name] == "default"
    load_settings({"secrets_dir": "run"})


def test_a_flag_that_was_not_given_overrides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands pass their options as they are, and None means not given."""
    monkeypatch.setenv("SERVE_PORT", "9000")

    assert load_settings({"serve_port": None, "SERVE_HOST": "::1"}).serve_port == 9000


def test_an_override_that_is_no_setting_is_a_bug() -> None:
    """A flag that would silently do nothing is found by the first test that uses it."""
    with pytest.raises(TypeError, match="sevre_port"):
        load_settings({"sevre_port": 1})


def test_foreign_names_in_dotenv_are_ignored() -> None:
    """Compose reads the same .env, and needs names of its own there."""
    Path(".env").write_text("POSTGRES_PASSWORD=sesame\nexport LOG_LEVEL=debug\n")

    assert load_settings().log_level is LogLevel.DEBUG


def test_a_byte_order_mark_does_not_hide_the_first_setting() -> None:
    """Some editors put one there, and it would become part of the first name."""
    Path(".env").write_text("SERVE_PORT=9000\n", encoding="utf-8-sig")

    assert load_settings().serve_port == 9000


# --- sources that cannot be read ---


def test_an_undecodable_dotenv_is_a_fault() -> None:
    """A file in another encoding is told, not guessed at."""
    Path(".env").write_bytes(b"PROJECT_NAME=Gr\xfc\xdfe\n")

    assert faults() == {".env": "is not UTF-8 text"}


def test_an_unreadable_dotenv_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that belongs to another account is told, not skipped."""
    Path(".env").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    assert faults() == {".env": "cannot be read: Permission denied"}


def test_a_line_of_dotenv_that_says_nothing_is_a_fault() -> None:
    """A setting that was meant and is not applied would be found much later."""
    Path(".env").write_text('DEBUG=true\nSECRET_KEY "sesame"\n')

    assert faults() == {".env": "line 2 is not of the form NAME=value"}


def test_a_directory_named_dotenv_is_no_file_of_ours() -> None:
    """Some people keep their virtual environment there."""
    Path(".env").mkdir()

    assert load_settings().serve_port == 8000


@pytest.mark.parametrize("path", ["missing", "~nobody-of-that-name/run"])
def test_a_missing_secrets_dir_is_a_fault(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that failed must not end in the defaults."""
    monkeypatch.setenv("SECRETS_DIR", path)

    assert faults()["SECRETS_DIR"].startswith("(from environment) cannot be read: ")


def test_a_secret_file_of_another_account_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker mounts secrets for root; a service that runs as another user must say so."""
    (tmp_path / "secret_key").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)

    assert faults(secrets_dir=tmp_path) == {
        "SECRET_KEY": "its file in SECRETS_DIR cannot be read: Permission denied"
    }


def test_secret_files_that_cannot_be_read_are_faults_each(tmp_path: Path) -> None:
    """All of them are told at once, together with what else is wrong."""
    run = tmp_path / "run"
    (run / "database_url").mkdir(parents=True)
    (run / "secret_key").write_bytes(b"\xff\xfe")
    (tmp_path / "elsewhere").write_text("sesame")
    (run / "health_details_token").symlink_to(tmp_path / "elsewhere")

    found = faults(secrets_dir=run, serve_port="x", environment="production")

    assert list(found) == ["DATABASE_URL", "SECRET_KEY", "HEALTH_DETAILS_TOKEN", "SERVE_PORT"]
    assert "regular file" in found["DATABASE_URL"]
    assert "not UTF-8" in found["SECRET_KEY"]
    assert "inside that directory" in found["HEALTH_DETAILS_TOKEN"]


# --- validation ---


def test_all_faults_are_told_at_once() -> None:
    """Nobody wants to find the second fault after mending the first."""
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(
            {"environment": "production", "debug": True, "database_pool_size": 0, "serve_port": "x"}
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
        load_settings({"log_level": "loud"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "sesame"),
        ("debug", "sesame"),
        ("project_name", ""),
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
        ("cors_origins", ["https://a.example", "http://localhost:3000"], "two"),
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
    overrides = {name: value} | ({} if value != "Production " else PRODUCTION)

    if expected == "two":
        expected = ("https://a.example", "http://localhost:3000")
    assert getattr(load_settings(overrides), name) == expected


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_of_the_scheme_is_taken(scheme: str) -> None:
    """Providers, libpq and SQLAlchemy each write it in their own way."""
    url = f"{scheme}://u:p%25w@one:5432,[::1]:5433/larp?target_session_attrs=read-write"

    settings = load_settings({"database_url": url, "database_migration_url": url})

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
    assert load_settings({"larp_home": path}).larp_home == tmp_path / "larp"


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
    assert load_settings(PRODUCTION).production


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
    assert load_settings({"secret_key": key}).secret_key.get_secret_value() == key


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
    overrides = {
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
        load_settings(overrides)

    assert len(caught.value.faults) == 10
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.faults)
    assert password not in told
    assert caught.value.__context__ is None


@pytest.mark.parametrize("password", PASSWORDS)
def test_the_secrets_of_the_settings_seed_a_redactor(password: str) -> None:
    """Every secret among the settings is known, as it is written and as it is meant."""
    encoded = quote(password, safe="")
    settings = load_settings(
        {
            "database_url": f"postgresql://larp:{encoded}@db/larp",
            "database_migration_url": f"postgresql:///larp?password={encoded}-two",
            "secret_key": f"key-{password}",
            "health_details_token": f"token-{password}",
        }
    )

    secrets = secret_values(settings)

    assert {password, encoded, f"{password}-two", f"key-{password}"} <= set(secrets)
    assert f"token-{password}" in secrets
    text = f"{password} {encoded} {password}-two key-{password} token-{password} {settings!r}"
    assert password not in Redactor(secrets).redact(text)
    assert password not in repr(settings)


def test_the_password_of_libpq_is_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable works as in libpq, and so its value must be hidden as well."""
    monkeypatch.setenv("PGPASSWORD", "open-sesame")

    assert secret_values(load_settings()) == ("open-sesame",)


def test_the_settings_cannot_be_changed() -> None:
    """What was validated as a whole stays so."""
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.debug = True  # type: ignore[misc]


def test_a_details_token_of_blanks_is_none() -> None:
    """An empty token would be anybody's."""
    with pytest.raises(SettingsInvalid, match="HEALTH_DETAILS_TOKEN: must not be empty"):
        load_settings({"health_details_token": "  "})
