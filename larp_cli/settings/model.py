"""Every setting of larp: its name, type, default, and why it matters.

The names are those of the environment variables, in lower case. ``.env.example`` and
docs/settings.md are generated from this class, so operators read the descriptions.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from larp_cli.settings import rules
from larp_cli.settings.choices import Algorithm, Environment, LogFormat, LogLevel
from larp_cli.settings.faults import CUSTOM_ERROR

DEVELOPMENT_SECRET_KEY = "insecure-development-key-change-me-in-production"

# PostgreSQL stores timeouts as milliseconds in 31 bits. Zero would disable the timeout, and the
# server rejects anything larger.
Seconds = Annotated[float, Field(ge=0.001, le=2_147_483, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=2_147_483, allow_inf_nan=False)]


def _default_larp_home() -> Path:
    # Imported here: LARP_HOME is often set, and the import costs time.
    from platformdirs import site_state_path, user_data_path

    # As root, PostgreSQL runs under another account, which cannot reach into /root.
    try:
        return site_state_path("larp") if os.geteuid() == 0 else user_data_path("larp")
    except RuntimeError:  # an account without a home, as an arbitrary uid in a container is
        return Path(tempfile.gettempdir()) / f"larp-{os.geteuid()}"


class Settings(BaseSettings):
    """The effective settings, validated as a whole. Made by `load_settings`."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    # First, because the rules of other fields depend on it.
    environment: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="The kind of installation: development, testing, staging or production. "
        "In production larp requires DATABASE_URL and a strong SECRET_KEY, refuses DEBUG, and "
        "asks for --allow-production before it destroys data.",
        json_schema_extra={"section": "Application", "production": "production"},
    )
    debug: bool = Field(
        default=False,
        description="Show internal details in errors. Refused in production, where anyone "
        "could see them.",
        json_schema_extra={"section": "Application", "development": "true"},
    )
    project_name: str = Field(
        default="LARP Manager",
        min_length=1,
        description="Name shown on the status page and in the OpenAPI document.",
        json_schema_extra={"section": "Application"},
    )
    api_v1_prefix: str = Field(
        default="/api/v1",
        description="Path prefix of the API. Starts with a slash and does not end with one.",
        json_schema_extra={"section": "Application"},
    )
    larp_home: Path = Field(
        default_factory=_default_larp_home,
        description="Directory for the embedded database and for backups. Defaults to your "
        "user data directory. For root it is a system directory such as /var/lib/larp, because "
        "PostgreSQL does not run as root and its account must be able to reach the files.",
        json_schema_extra={"section": "Application"},
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="Directory with one file per setting, named like the setting (Docker "
        "secrets). Keeps passwords out of the environment, which every child process inherits.",
        json_schema_extra={"section": "Application", "production": "/run/secrets"},
    )

    database_url: SecretStr | None = Field(
        default=None,
        description="Connection URL of the PostgreSQL database. libpq's features work: "
        "several hosts, sslmode, Unix sockets, PGPASSFILE and the other PG* variables. "
        "Percent-encode @ : / % in the password. In development larp starts an embedded "
        "PostgreSQL if this is not set; production requires it.",
        json_schema_extra={
            "section": "Database",
            "development": "postgresql://larp:larp@localhost:5432/larp",
            "production": "postgresql://larp:PASSWORD@db.internal:5432/larp?sslmode=verify-full",
        },
    )
    database_migration_url: SecretStr | None = Field(
        default=None,
        description="Connection URL for migrations: the same database, connected directly and "
        "as the owner of the schema. Set it if DATABASE_URL goes through a pooler such as "
        "PgBouncer, or if the application's role may not change tables.",
        json_schema_extra={
            "section": "Database",
            "production": "postgresql://larp_owner:PASSWORD@db.internal:5432/larp",
        },
    )
    database_schema: str = Field(
        default="larp_manager",
        description="Schema that holds the tables. `larp db reset` drops this schema and "
        "nothing else. Choose it before you write revisions: `larp db revision` writes the name "
        "into them.",
        json_schema_extra={"section": "Database"},
    )
    database_pool_size: int = Field(
        default=20,
        ge=1,
        description="Connections each process keeps open. Multiplied by the number of "
        "processes, it must stay below the server's max_connections.",
        json_schema_extra={"section": "Database", "development": "5"},
    )
    database_max_overflow: int = Field(
        default=0,
        ge=0,
        description="Extra connections a process may open under load. They are closed after use.",
        json_schema_extra={"section": "Database"},
    )
    database_pool_timeout: Seconds = Field(
        default=10.0,
        description="Seconds to wait for a free connection from the pool.",
        json_schema_extra={"section": "Database"},
    )
    database_connect_timeout: Seconds = Field(
        default=10.0,
        description="Seconds to wait for a connection, for all hosts and addresses of the URL "
        "together.",
        json_schema_extra={"section": "Database"},
    )
    database_statement_timeout: Seconds = Field(
        default=30.0,
        description="Seconds after which the server cancels a statement of the application, "
        "so that one bad query cannot hold a connection forever.",
        json_schema_extra={"section": "Database"},
    )

    migration_lock_timeout: Seconds = Field(
        default=5.0,
        description="Seconds that larp waits for a lock on a table or row. During a migration the "
        "application's queries queue behind it for that long, so keep it short.",
        json_schema_extra={"section": "Migrations"},
    )
    migration_lock_retries: int = Field(
        default=10,
        ge=0,
        description="How often larp retries a revision after a lock timeout. The pauses "
        "between retries grow.",
        json_schema_extra={"section": "Migrations"},
    )
    migration_statement_timeout: Seconds = Field(
        default=3600.0,
        description="Seconds after which the server cancels a statement of a migration. The "
        "migration holds its locks until then.",
        json_schema_extra={"section": "Migrations"},
    )
    migration_concurrently_timeout: Seconds = Field(
        default=14400.0,
        description="Seconds for a statement with CONCURRENTLY. It blocks nobody, but waits "
        "for every older transaction in the database.",
        json_schema_extra={"section": "Migrations"},
    )
    migration_mutex_wait: SecondsOrZero = Field(
        default=300.0,
        description="Seconds to wait for another migration to finish; 0 does not wait. If "
        "several containers start together, set it longer than your longest migration.",
        json_schema_extra={"section": "Migrations"},
    )

    secret_key: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_SECRET_KEY),
        description="Key that signs access tokens; anyone who knows it can log in as anyone. "
        "Production requires at least 32 random characters: create one with `larp config "
        "secret`, a different one for each installation. Changing it ends every session.",
        json_schema_extra={
            "section": "Security",
            "production": "<paste the output of `larp config secret`>",
        },
    )
    algorithm: Algorithm = Field(
        default=Algorithm.HS256,
        description="Algorithm that signs access tokens: HS256, HS384 or HS512.",
        json_schema_extra={"section": "Security"},
    )
    access_token_expire_minutes: int = Field(
        default=30,
        ge=1,
        description="Minutes until an access token expires. A stolen token works for that long.",
        json_schema_extra={"section": "Security"},
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins of the web sites that may call the API from a browser, separated "
        "by commas or as a JSON list. Empty allows none; * allows all, and is refused in "
        "production.",
        json_schema_extra={
            "section": "Security",
            "development": "http://localhost:3000,http://localhost:5173",
            "production": "https://larp.example",
        },
    )

    log_level: LogLevel = Field(
        default=LogLevel.INFO,
        description="Lowest severity to log: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
        json_schema_extra={"section": "Logging", "development": "DEBUG"},
    )
    log_format: LogFormat = Field(
        default=LogFormat.CONSOLE,
        description="Format of log records: console for people, json for log collectors.",
        json_schema_extra={"section": "Logging", "production": "json"},
    )

    serve_host: str = Field(
        default="127.0.0.1",
        description="Address that `larp serve` listens on. The default accepts requests from "
        "this machine only; in a container, use 0.0.0.0.",
        json_schema_extra={"section": "Health server", "production": "0.0.0.0"},
    )
    serve_port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="Port that `larp serve` listens on; 0 picks a free one.",
        json_schema_extra={"section": "Health server"},
    )
    serve_drain_seconds: SecondsOrZero = Field(
        default=5.0,
        description="Seconds that `larp serve` keeps answering after SIGTERM. During that "
        "time /health/ready fails, so that load balancers stop sending traffic before the port "
        "closes.",
        json_schema_extra={"section": "Health server", "development": "0", "production": "15"},
    )
    health_interval: Seconds = Field(
        default=5.0,
        description="Seconds between two checks of the database by `larp serve`. Probes read "
        "the latest result, so this is also how old their answer can be.",
        json_schema_extra={"section": "Health server"},
    )
    health_deadline: Seconds = Field(
        default=2.0,
        description="Seconds a check of the database may take before it counts as failed.",
        json_schema_extra={"section": "Health server"},
    )
    health_details_token: SecretStr | None = Field(
        default=None,
        description="Token that lets other machines read the details: versions, revisions and "
        "latencies. Without a token, only this machine can read them.",
        json_schema_extra={
            "section": "Health server",
            "production": "<paste the output of `larp config secret`>",
        },
    )

    @property
    def production(self) -> bool:
        """Whether the strictest rules apply."""
        return self.environment is Environment.PRODUCTION

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: `read_sources` has read the other sources."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        # A newline at the end of a pasted value is never meant.
        return value.strip() if isinstance(value, str) else value

    @field_validator("debug")
    @classmethod
    def _refuse_debug(cls, debug: bool, info: ValidationInfo) -> bool:
        if debug and _in_production(info):
            raise _fault("must be off in production")
        return debug

    @field_validator("api_v1_prefix")
    @classmethod
    def _check_prefix(cls, prefix: str) -> str:
        return _accept(prefix, rules.find_api_prefix_fault(prefix))

    @field_validator("larp_home", "secrets_dir")
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        try:
            return path.expanduser().absolute() if path is not None else None
        except (RuntimeError, OSError):
            raise _fault("must be a path whose home directory exists") from None

    @field_validator("database_url")
    @classmethod
    def _require_url(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None and _in_production(info):
            raise _fault("must be set in production, where the embedded database is refused")
        return url

    @field_validator("database_migration_url")
    @classmethod
    def _require_both(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # Otherwise the embedded database would be used, and another one migrated.
        if url is not None and info.data.get("database_url", url) is None:
            raise _fault("needs DATABASE_URL, which is not set")
        return url

    @field_validator("database_url", "database_migration_url")
    @classmethod
    def _check_url(cls, url: SecretStr | None) -> SecretStr | None:
        fault = rules.find_database_url_fault(url.get_secret_value()) if url is not None else None
        return _accept(url, fault)

    @field_validator("database_schema")
    @classmethod
    def _check_schema(cls, schema: str) -> str:
        return _accept(schema, rules.find_database_schema_fault(schema))

    @field_validator("secret_key")
    @classmethod
    def _check_key(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        weak = _in_production(info) and rules.find_secret_key_fault(key.get_secret_value())
        return _accept(key, weak or None)

    @field_validator("health_details_token")
    @classmethod
    def _check_token(cls, token: SecretStr | None) -> SecretStr | None:
        fault = rules.find_token_fault(token.get_secret_value()) if token is not None else None
        return _accept(token, fault)

    @field_validator("serve_host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        return _accept(host, rules.find_host_fault(host))

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, origins: object) -> object:
        return _split(origins) if isinstance(origins, str) else origins

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        # Browsers send scheme and host in lower case, and the header is compared as it is.
        origins = tuple(dict.fromkeys(origin.strip().lower() for origin in origins))
        return _accept(origins, rules.find_origins_fault(origins, production=_in_production(info)))


def _split(origins: str) -> Any:
    if not origins.startswith("["):
        return [origin for origin in map(str.strip, origins.split(",")) if origin]
    try:
        return json.loads(origins)
    except ValueError:
        raise _fault("must be origins separated by commas, or a JSON list of them") from None


def _accept[T](value: T, fault: str | None) -> T:
    if fault is not None:
        raise _fault(fault)
    return value


def _fault(message: str) -> PydanticCustomError:
    # No context: pydantic then takes the text as it is, braces and all.
    return PydanticCustomError(CUSTOM_ERROR, message)


def _in_production(info: ValidationInfo) -> bool:
    return info.data.get("environment") is Environment.PRODUCTION
