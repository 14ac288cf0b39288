"""What `larp config` answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from larp_cli.configuration import (
    NOT_SET,
    check_config,
    generate_secret,
    render_template,
    show_config,
)
from larp_cli.errors import ExitCode
from larp_cli.settings import Settings, SettingsInvalid, load_settings
from larp_cli.settings.rules import find_secret_key_fault
from tests.conftest import Larp
from tests.settings import environment, load

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("only_our_environment")


def shown(**variables: object) -> dict[str, str]:
    """Return the values that `larp config show` shows, by name."""
    with environment(**variables):
        return {setting.name: setting.value for setting in show_config().settings}


# --- show ---


def test_show_holds_every_setting_with_origin_and_description(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole configuration is there, and where each value came from."""
    monkeypatch.setenv("SERVE_PORT", "9000")

    settings = {setting.name: setting for setting in show_config().settings}

    assert list(settings) == [name.upper() for name in Settings.model_fields]
    assert settings["SERVE_PORT"].origin == "environment"
    assert settings["DEBUG"].origin == "default"
    assert settings["LOG_LEVEL"].origin == "default"
    assert all(setting.description.endswith(".") for setting in settings.values())


def test_show_leaves_the_origins_out_when_nobody_asks() -> None:
    """`--origin` is for those who wonder."""
    assert {setting.origin for setting in show_config(with_origins=False).settings} == {""}


def test_show_writes_values_as_one_sets_them() -> None:
    """What is shown can be copied into .env."""
    values = shown(debug=True, cors_origins="http://a, http://b", migration_lock_timeout=2.5)

    assert values["DEBUG"] == "true"
    assert values["CORS_ORIGINS"] == "http://a,http://b"
    assert values["MIGRATION_LOCK_TIMEOUT"] == "2.5"
    assert values["DATABASE_STATEMENT_TIMEOUT"] == "30"
    assert values["ENVIRONMENT"] == "development"
    assert values["DATABASE_URL"] == NOT_SET


@pytest.mark.parametrize("password", ["s%40same", "s@same", "s:same", "s'same", "s same", "sésame"])
def test_show_hides_every_secret(password: str) -> None:
    """A URL is shown without its passwords, any other secret not at all."""
    url = f"postgresql://larp:{password}@db/larp?sslpassword={password}&sslmode=require"
    variables = {
        "database_url": url,
        "database_migration_url": url,
        "secret_key": password,
        "health_details_token": password,
    }

    values = shown(**variables)

    assert values["DATABASE_URL"] == "postgresql://larp:***@db/larp?sslpassword=***&sslmode=require"
    assert values["SECRET_KEY"] == values["HEALTH_DETAILS_TOKEN"] == "***"
    with environment(**variables):
        assert password not in repr(show_config())


def test_show_of_wrong_settings_tells_the_faults() -> None:
    """There are no effective settings then."""
    with environment(serve_port="x"), pytest.raises(SettingsInvalid, match="SERVE_PORT"):
        show_config()


# --- check ---


def test_check_of_sound_settings_finds_nothing() -> None:
    """A fresh checkout is sound."""
    check = check_config()

    assert check.environment == "development"
    assert check.faults == check.warnings == ()


def test_check_returns_the_faults_instead_of_raising() -> None:
    """Wrong settings are the answer to this question."""
    Path(".env").write_bytes(b"\xff")

    with environment(serve_port="sesame", debug="sesame"):
        check = check_config()

    assert [fault.name for fault in check.faults] == [".env", "DEBUG", "SERVE_PORT"]
    assert check.environment is None
    assert "sesame" not in repr(check)


def test_check_warns_about_a_near_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name is silently ignored otherwise, wherever it stands."""
    Path(".env").write_text("DATABSE_URL=sesame\nPOSTGRES_PASSWORD=sesame\nLOGLEVEL\n")
    Path("run").mkdir()
    Path("run/secretkey").write_text("sesame")
    monkeypatch.setenv("SERVER_PORT", "sesame")
    monkeypatch.setenv("AWS_SECRET_KEY", "sesame")

    with environment(secrets_dir="run"):
        check = check_config()

    assert {(warning.name, warning.message) for warning in check.warnings} == {
        ("DATABSE_URL", "unknown setting (.env); did you mean DATABASE_URL?"),
        ("LOGLEVEL", "unknown setting (.env); did you mean LOG_LEVEL?"),
        ("SECRETKEY", "unknown setting (secrets files); did you mean SECRET_KEY?"),
        ("SERVER_PORT", "unknown setting (environment); did you mean SERVE_PORT?"),
    }


def test_check_warns_about_a_weak_key_in_staging() -> None:
    """Staging is reachable too, though nothing refuses it there."""
    with environment(environment="staging"):
        (warning,) = check_config().warnings

    assert warning.name == "SECRET_KEY"
    assert warning.message.startswith("would be refused in production")


# --- template ---


def test_the_example_in_the_repository_is_the_template() -> None:
    """`.env.example` is generated: `larp config template > .env.example`."""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == render_template().text


def test_the_template_names_every_setting_once_with_its_default() -> None:
    """Nothing is configurable that the template does not explain."""
    names = re.findall(r"^# ([A-Z0-9_]+)=", render_template().text, re.MULTILINE)

    assert names == [name.upper() for name in Settings.model_fields]


def test_the_template_fits_on_a_page() -> None:
    """No line is longer than 100 columns, and the file ends as a text file does."""
    text = render_template().text

    assert max(map(len, text.splitlines())) <= 100
    assert text.endswith("\n") and not text.endswith("\n\n")


def test_the_template_works_in_development_as_it_is() -> None:
    """Copied to .env and not touched, it changes nothing."""
    Path(".env").write_text(render_template().text, encoding="utf-8")

    assert load_settings() == load_settings(directory=Path("/nowhere"))


def test_the_defaults_of_the_template_are_the_defaults() -> None:
    """Uncommenting a line changes nothing until its value is changed."""
    text = re.sub(r"^# (?=[A-Z0-9_]+=)", "", render_template().text, flags=re.MULTILINE)
    Path(".env").write_text(text, encoding="utf-8")

    assert load_settings() == load_settings(directory=Path("/nowhere"))


@pytest.mark.parametrize("kind", ["development", "production"])
def test_the_examples_of_the_template_work(kind: str) -> None:
    """All examples for an environment make a sound configuration together."""
    pattern = rf"^#   in {kind}: ([A-Z0-9_]+)=(.+)$"
    examples = dict(re.findall(pattern, render_template().text, re.MULTILINE))
    Path("secrets").mkdir()
    if kind == "production":
        assert {"DATABASE_URL", "SECRET_KEY"} <= examples.keys()
        examples |= {"SECRET_KEY": generate_secret().secret, "SECRETS_DIR": "secrets"}

    assert load(**examples).environment == kind


# --- secret ---


def test_a_generated_secret_is_random_and_good_enough_for_production() -> None:
    """48 random bytes, in characters that need no quoting anywhere."""
    generated = [generate_secret().secret for _ in range(50)]

    assert len(set(generated)) == 50
    for secret in generated:
        assert re.fullmatch(r"[A-Za-z0-9_-]{64}", secret)
        assert find_secret_key_fault(secret) is None


@pytest.mark.parametrize(
    "url", ["postgres://u:p@h:notaport/db", "postgres://u:p@h/db?sslmod=require"]
)
def test_a_url_that_no_command_could_use_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The check looks as deep into a URL as the commands that connect."""
    monkeypatch.setenv("DATABASE_URL", url)

    assert [fault.name for fault in check_config().faults] == ["DATABASE_URL"]


def test_every_fault_is_told_at_once(larp: Larp) -> None:
    """What is wrong with a number does not hide what is wrong with two URLs."""
    environment = {
        "SERVE_PORT": "many",
        "DATABASE_URL": "postgresql://larp@db:port/larp",
        "DATABASE_MIGRATION_URL": "postgresql://larp@db/larp?sslmode=sometimes",
    }

    for words in (("config", "check"), ("db", "status")):
        outcome = larp(*words, env=environment)
        assert outcome.exit_code == ExitCode.CONFIGURATION
        assert "3 settings are wrong" in outcome.stderr
        assert all(f"  {name}: " in outcome.stderr for name in environment)
    del environment["SERVE_PORT"]
    assert "2 settings are wrong" in larp("db", "status", env=environment).stderr
