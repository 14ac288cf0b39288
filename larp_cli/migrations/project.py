"""An Alembic project: find its scripts, and run its environment."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from larp_cli.errors import CommandFailed, ConfigurationError, LarpError
from larp_cli.migrations.alembic_api import (
    Adjust,
    Work,
    list_version_locations,
    open_environment,
)
from larp_cli.migrations.env_file import WrittenVersionTable, parse_version_table
from larp_cli.migrations.graph import RevisionGraph
from larp_cli.migrations.revision_reader import parse_script_directory, read_graph

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext, MigrationStep
    from alembic.script import ScriptDirectory

_HEADS: dict[str, Any] = {"starting_rev": None, "destination_rev": "heads", "tag": None}
"""What an env.py gets that asks for the arguments of the command line."""

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Project:
    """An Alembic project on disk."""

    config_file: Path
    schema: str | None
    """Schema of the version table; None if the project's env.py decides."""

    @property
    def own(self) -> bool:
        """Whether this is larp's own project."""
        return self.schema is not None

    @cached_property
    def legible_graph(self) -> RevisionGraph | None:
        """The revisions, if the files can be read without Alembic.

        Raises:
            ConfigurationError: A revision needs one that does not exist, or needs itself.
        """
        scripts = self._script_directory
        return read_graph(scripts / "versions") if scripts is not None else None

    @cached_property
    def graph(self) -> RevisionGraph:
        """The revisions, read from the files or by Alembic.

        Raises:
            ConfigurationError: The project's files cannot be read.
        """
        if self.legible_graph is not None:
            return self.legible_graph
        from larp_cli.migrations.revisions import load_graph

        self.require_files()
        return load_graph(self.script)

    @cached_property
    def version_table(self) -> WrittenVersionTable | None:
        """The version table of another project, if its env.py can be read without running it."""
        scripts = self._script_directory
        return parse_version_table(scripts / "env.py") if scripts is not None else None

    @property
    def is_legible(self) -> bool:
        """Whether revisions and version table can be read from the files, without Alembic."""
        return self.legible_graph is not None and (self.own or self.version_table is not None)

    @cached_property
    def _script_directory(self) -> Path | None:
        return parse_script_directory(self.config_file)

    @cached_property
    def script(self) -> ScriptDirectory:
        """Alembic's view of the revisions. Read once: once per step would be quadratic.

        Raises:
            ConfigurationError: The project's files cannot be read.
        """
        from alembic.script import ScriptDirectory

        with translate_alembic_errors(self.config_file):
            script = ScriptDirectory.from_config(self._config(None))
            script.get_heads()  # reads every file, so a broken one is reported here
        return script

    def require_files(self) -> None:
        """Refuse a project without its revision files, which would look like success.

        Raises:
            ConfigurationError: There is no directory of revision files.
        """
        places = list_version_locations(self.script)
        if not any(place.is_dir() for place in places):
            raise ConfigurationError(
                f"there is no directory {places[0]}, where the revisions of {self.config_file}"
                " should be",
                hint="put them there, or make the directory if there are none yet",
            )

    def run_environment(
        self,
        connection: sa.Connection,
        work: Work,
        *,
        read_only: bool = False,
        adjust: Adjust | None = None,
        **options: Any,
    ) -> None:
        """Run the project's env.py once on ``connection``, and do ``work`` in it.

        What env.py and the revisions print goes to stderr, because stdout belongs to the
        result, and logging is put back as it was.

        Args:
            connection: The one to work on.
            work: What to do.
            read_only: Whether nothing is to be created, not even the version table.
            adjust: Changes the options with which env.py calls ``configure()``.
            options: Further ones of Alembic's EnvironmentContext.

        Raises:
            ConfigurationError: env.py works on another connection, or calls sys.exit.
            CommandFailed: A revision does, or perhaps env.py.
        """
        if connection.in_transaction():
            # Alembic would take it for somebody else's transaction, commit nothing, and
            # report success.
            raise AssertionError("the connection given to Alembic is in a transaction")
        environment = open_environment(
            self._config(connection),
            self.script,
            self._on(connection, work),
            read_only=read_only,
            adjust=adjust,
            **_HEADS,
            **options,
        )
        self._run(environment, runs_revisions=not read_only)

    def _on(self, connection: sa.Connection, work: Work) -> Work:
        """Refuse to work on any other connection, which no mutex may guard."""

        def checked(stamps: Any, context: MigrationContext) -> Iterable[MigrationStep]:
            if context.bind is not connection:
                raise ConfigurationError(
                    f"the env.py of {self.config_file} opens its own connection",
                    hint='let it take its connection from config.attributes["connection"]',
                )
            return work(stamps, context)

        return checked

    def run_offline(
        self,
        connection: sa.Connection | None,
        work: Work,
        stamps: tuple[str, ...],
        *,
        adjust: Adjust,
    ) -> None:
        """Run the project's env.py once in offline mode, where SQL is written and not run.

        Args:
            connection: For an env.py that asks for one even so.
            work: What to do.
            stamps: The revisions to start from.
            adjust: Changes the options with which env.py calls ``configure()``.

        Raises:
            CommandFailed: A revision calls sys.exit, or env.py does.
        """
        config = self._config(connection)
        section = config.config_ini_section
        url = config.file_config.get(section, "sqlalchemy.url", raw=True, fallback="")
        if not url.startswith("postgres"):
            # What `alembic init` writes is a placeholder; offline only the dialect counts.
            config.set_main_option("sqlalchemy.url", "postgresql+psycopg://")
        start = {**_HEADS, "as_sql": True, "starting_rev": stamps or None}
        environment = open_environment(config, self.script, work, adjust=adjust, **start)
        self._run(environment, runs_revisions=True)

    def _run(self, environment: EnvironmentContext, *, runs_revisions: bool) -> None:
        try:
            with environment, keep_logging(), redirect_stdout_to_stderr():
                self.script.run_env()
        except SystemExit as error:  # would end larp without a word, even as a success
            call = f"called sys.exit({error.code!r})"
            if runs_revisions:
                message = f"a revision or the env.py of {self.config_file} {call}"
                raise CommandFailed(message) from error
            raise ConfigurationError(f"the env.py of {self.config_file} {call}") from error

    def open_config(self) -> Config:
        """Read the project's configuration; Alembic's messages go to stderr."""
        from alembic.config import Config

        return Config(self.config_file, stdout=sys.stderr)

    def _config(self, connection: sa.Connection | None) -> Config:
        config = self.open_config()
        config.attributes.update(connection=connection, configure_logger=False)
        if self.schema is not None:
            config.attributes["schema"] = self.schema
        return config


def open_project(config_file: Path | None, schema: str) -> Project:
    """Find larp's own project, or the one whose ``alembic.ini`` is named.

    Raises:
        ConfigurationError: There is no such file.
    """
    if config_file is None:
        return Project(own_config_file(), schema)
    if not config_file.is_file():
        raise ConfigurationError(
            f"there is no Alembic configuration at {config_file}",
            hint="name the project's alembic.ini with --alembic-config PATH",
        )
    if config_file.samefile(own_config_file()):
        return Project(own_config_file(), schema)
    return Project(config_file.absolute(), None)


def own_config_file() -> Path:
    """Find larp's ``alembic.ini``: packed in the wheel, or at the top of the checkout."""
    packed = _PACKAGE / "_packaged" / "alembic.ini"
    return packed if packed.is_file() else _PACKAGE.parent / "alembic.ini"


@contextlib.contextmanager
def translate_alembic_errors(config_file: Path) -> Iterator[None]:
    """Raise larp's errors for what Alembic, a revision file or env.py raises.

    Raises:
        ConfigurationError: They cannot be read. An error of larp's passes unchanged.
    """
    from alembic.util import CommandError

    try:
        yield
    except LarpError:
        raise
    except CommandError as error:
        raise ConfigurationError(
            f"Alembic refuses the revisions of {config_file}: {error}",
            hint=f"alembic -c {config_file} history",
        ) from error
    except SystemExit as error:
        raise ConfigurationError(
            f"a revision of {config_file}, or its env.py, called sys.exit({error.code!r})"
        ) from error
    except Exception as error:  # noqa: B902 - a revision file may raise anything
        raise ConfigurationError(
            f"the revisions of {config_file} cannot be read: {type(error).__name__}: {error}"
        ) from error


@contextlib.contextmanager
def redirect_stdout_to_stderr() -> Iterator[None]:
    """Send everything that is printed to stderr, by programs that a revision starts too."""
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as undo:
        stdout = os.dup(1)
        undo.callback(os.close, stdout)
        os.dup2(2, 1)
        undo.callback(os.dup2, stdout, 1)
        undo.callback(_flush_original_stdout)
        yield


def _flush_original_stdout() -> None:
    """Write what foreign code left in the buffer of ``sys.__stdout__`` while it meant stderr."""
    with contextlib.suppress(OSError):
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()


@contextlib.contextmanager
def keep_logging() -> Iterator[None]:
    """Undo what a project's env.py does to logging, as ``fileConfig`` does."""
    kept = {
        logger: (logger.level, logger.disabled, logger.propagate, logger.handlers[:])
        for logger in _loggers()
    }
    try:
        yield
    finally:
        for logger in _loggers():
            fresh: tuple[int, bool, bool, list[logging.Handler]] = (logging.NOTSET, False, True, [])
            level, logger.disabled, logger.propagate, logger.handlers = kept.get(logger, fresh)
            logger.setLevel(level)


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    named = root.manager.loggerDict.values()
    return [root, *(logger for logger in named if isinstance(logger, logging.Logger))]
