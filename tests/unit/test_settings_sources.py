"""Where the settings come from, which source wins, and a source that cannot be read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from larp_cli.settings import Environment, LogFormat, LogLevel, load_settings, read_origins
from tests.settings import STRONG_KEY, environment, faults, load

pytestmark = pytest.mark.usefixtures("only_our_environment")


# --- sources ---


def _by_environment(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT_NAME", value)


def _by_dotenv(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f'PROJECT_NAME="{value}"\n', encoding="utf-8")


def _by_secret_file(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secrets").mkdir()
    Path("secrets/PROJECT_NAME").write_text(f"{value}\n", encoding="utf-8")
    monkeypatch.setenv("SECRETS_DIR", "secrets")


def _by_default(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set nothing."""


SOURCES: dict[str, Callable[[str, pytest.MonkeyPatch], None]] = {
    "environment": _by_environment,
    ".env": _by_dotenv,
    "secrets file": _by_secret_file,
    "default": _by_default,
}


@pytest.mark.parametrize(("stronger", "weaker"), list(itertools.combinations(SOURCES, 2)))
def test_the_stronger_source_wins(
    stronger: str, weaker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is environment, .env, secrets files, defaults, for every pair."""
    SOURCES[weaker]("weaker", monkeypatch)
    SOURCES[stronger]("stronger", monkeypatch)

    assert load_settings().project_name == "stronger"
    assert read_origins()["PROJECT_NAME"].startswith(stronger)


def test_every_setting_has_a_default() -> None:
    """A fresh checkout works with no configuration at all, and says that all is default."""
    settings = load_settings()

    assert settings.environment is Environment.DEVELOPMENT
    assert settings.database_url is None
    assert settings.database_schema == "larp_manager"
    assert settings.database_pool_size == 20
    assert settings.serve_port == 8000
    assert set(read_origins().values()) == {"default"}


def test_the_origin_of_a_secret_names_its_file(tmp_path: Path) -> None:
    """An operator with several mounts wants to know which file it was."""
    (tmp_path / "database_url").write_text("postgresql://db/larp")

    with environment(secrets_dir=tmp_path):
        found = read_origins()

    assert found["DATABASE_URL"] == f"secrets file {tmp_path}/database_url"
    assert found["SECRETS_DIR"] == "environment"


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

    settings = load(secrets_dir=tmp_path / "run")

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

    monkeypatch.setenv("SECRETS_DIR", "run")
    assert read_origins()[name] == "default"
    load_settings()


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
    (run / "project_name").symlink_to(run / "nowhere")
    (run / "algorithm").symlink_to(run / "algorithm")

    found = faults(secrets_dir=run, serve_port="x", environment="production")

    assert set(found) == {
        "DATABASE_URL", "SECRET_KEY", "HEALTH_DETAILS_TOKEN", "PROJECT_NAME", "ALGORITHM",
        "SERVE_PORT",
    }  # fmt: skip
    assert "regular file" in found["DATABASE_URL"]
    assert "not UTF-8" in found["SECRET_KEY"]
    assert "inside that directory" in found["HEALTH_DETAILS_TOKEN"]
