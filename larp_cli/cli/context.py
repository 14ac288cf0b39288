"""The composition root: options, settings, renderer and observer, made when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli import errors
from larp_cli.cli.options import ConsentOptions, OutputFormat, SharedOptions
from larp_cli.cli.signals import DeadlineSignal, TerminationSignal, signals_as_exceptions
from larp_cli.cli.streams import OutputLost, write_result
from larp_cli.cli.terminal import Terminal
from larp_cli.errors import ExitCode, LarpError, Stopped, causes_of
from larp_cli.redaction import Redactor
from larp_cli.system.streams import write_to_stderr

if TYPE_CHECKING:
    from larp_cli.health.target import HealthTarget
    from larp_cli.migrations.guard import Guard
    from larp_cli.migrations.project import Project
    from larp_cli.migrations.workspace import Workspace
    from larp_cli.observer import Observer
    from larp_cli.postgres.database import Databases
    from larp_cli.postgres.embedded import EmbeddedServer
    from larp_cli.rendering.answer import Answer
    from larp_cli.results import EmbeddedState, Result
    from larp_cli.settings import Settings


class Context:
    """Everything a command needs, as ``ctx.obj``.

    One object lives as long as the process; nothing in it is made before a command asks
    for it, which keeps ``--help`` and completion quick.
    """

    def __init__(self) -> None:
        self.options = SharedOptions()
        self.terminal = Terminal.detect()
        self.command_name = ""
        self.exit_code = ExitCode.OK
        self.redactor = Redactor()
        self._answer: Answer | None = None
        self._exits = ExitStack()

    @cached_property
    def settings(self) -> Settings:
        """The effective settings; from here on every output is redacted with their secrets."""
        from larp_cli.configuration import load_effective_settings
        from larp_cli.settings import make_redactor

        settings = load_effective_settings()
        self.redactor = make_redactor(settings)
        from larp_cli.cli.logs import configure_logging

        configure_logging(settings, self.options, self.redact)
        return settings

    @cached_property
    def observer(self) -> Observer:
        """Whoever draws the progress of long work on stderr."""
        from larp_cli.cli.progress import observer_for

        return self._exits.enter_context(
            observer_for(self.terminal, quiet=self.options.quiet, redact=self.redact)
        )

    @cached_property
    def databases(self) -> Databases:
        """The configured database; the embedded server is started when it is the one."""
        from larp_cli.postgres.database import open_database

        return self._exits.enter_context(
            open_database(self.settings, self.observer, deadline=self.options.timeout)
        )

    @cached_property
    def project(self) -> Project:
        """The Alembic project: larp's own, or the one that ``-c`` names."""
        from larp_cli.migrations.project import open_project

        return open_project(self.options.alembic_config, self.settings.database_schema)

    @cached_property
    def health_target(self) -> HealthTarget:
        """The target of health checks. The database does not have to answer."""
        from larp_cli.configuration import check_config
        from larp_cli.health.prepare import prepare_target

        database = self.databases.application
        warnings = tuple(f"{item.name} {item.message}" for item in check_config().warnings)
        return prepare_target(database, self.project, warnings)

    @cached_property
    def workspace(self) -> Workspace:
        """The database by the URL for DDL, the revisions, and how long to wait for what."""
        from larp_cli.migrations.run.timeouts import Timeouts
        from larp_cli.migrations.workspace import Workspace

        settings = self.settings
        return Workspace(
            database=self.databases.migration,
            project=self.project,
            observer=self.observer,
            timeouts=Timeouts(
                lock=settings.migration_lock_timeout,
                statement=settings.migration_statement_timeout,
                concurrently=settings.migration_concurrently_timeout,
                lock_retries=settings.migration_lock_retries,
                mutex_wait=settings.migration_mutex_wait,
            ),
        )

    def guard(self, options: ConsentOptions) -> Guard:
        """Make the guard of a destructive command, from its options."""
        from larp_cli.cli.confirmation import make_prompt
        from larp_cli.migrations.guard import Consent, Guard

        return Guard(
            consent=Consent(
                confirm=options.confirm,
                yes=options.yes,
                allow_production=options.allow_production,
            ),
            ask=make_prompt(self.terminal, quiet=self.options.quiet),
            observer=self.observer,
        )

    @property
    def backup_directory(self) -> Path:
        """Where backups are kept."""
        return self.settings.larp_home / "backups"

    @cached_property
    def embedded(self) -> EmbeddedServer:
        """The embedded server itself, for starting and stopping it."""
        from larp_cli.postgres.embedded import EmbeddedServer

        return EmbeddedServer(self.settings.larp_home, self.observer)

    def embedded_state(self, *, changed: bool) -> EmbeddedState:
        """State how the embedded server is doing."""
        from larp_cli.results import EmbeddedState

        status = self.embedded.status()
        return EmbeddedState(
            running=status.running,
            kept=status.kept,
            data_directory=status.data_directory,
            version=status.version,
            url=status.url,
            was_changed=changed,
        )

    @property
    def seeds(self) -> Path:
        """The development data: in the current directory, else beside ``alembic.ini``."""
        here = Path("seeds")
        return here if here.is_dir() else self.project.config_file.parent / "seeds"

    def redact(self, text: str) -> str:
        """Hide every secret in ``text``."""
        return self.redactor.redact(text)

    @property
    def output(self) -> OutputFormat:
        """How the result is written."""
        if self.options.output is not None:
            return self.options.output
        return OutputFormat.HUMAN if self.terminal.stdout_is_terminal else OutputFormat.PLAIN

    def read_output_from(self, arguments: list[str]) -> None:
        """Find out how to write the error about a command line that could not be parsed."""
        if "--" in arguments:
            arguments = arguments[: arguments.index("--")]
        for word, following in pairwise([*arguments, ""]):
            value = following if word == "--output" else word.removeprefix("--output=")
            if word == "--json":
                self.options.output = OutputFormat.JSON
            elif value != word and value in list(OutputFormat):
                self.options.output = OutputFormat(value)
        self.options.debug = self.options.debug or "--debug" in arguments
        if "--no-color" in arguments:
            self.terminal = self.terminal.without_colour()

    @contextmanager
    def running(self, timeout: float | None, *, uses_database: bool) -> Iterator[None]:
        """Run one command: signals become errors, and what it opened is closed again.

        The answer is written last, so that nothing which still fails writes a second one.
        """
        if self.options.no_color:
            self.terminal = self.terminal.without_colour()
        try:
            with signals_as_exceptions(timeout) as signals, self._exits:
                try:
                    yield
                finally:
                    signals.held = True
        except KeyboardInterrupt as signal:
            raise _explain_signal(signal, timeout, uses_database=uses_database) from signal
        except SystemExit as ended:  # larp would end without a message, even as a success
            message = f"something in the command called sys.exit({ended.code!r})"
            raise errors.CommandFailed(message) from ended
        if self._answer is not None:
            self._write(self._answer)

    def answer(self, result: Result) -> None:
        """Keep the result, to be written to stdout when all that was opened is closed."""
        from larp_cli.rendering.answer import Answer

        self._answer = Answer.of(self.command_name, result)

    def announce(self, result: Result) -> None:
        """Write the result now: what follows goes on until it is ended."""
        from larp_cli.rendering.answer import Answer

        self._write(Answer.of(self.command_name, result))

    def fail(self, error: LarpError) -> None:
        """Write the error: to stderr for people, as the document for programs.

        Both go to stderr where the document cannot be written.
        """
        from larp_cli.rendering.answer import Answer

        answer = Answer.of_error(self.command_name, error)
        if isinstance(error, OutputLost):
            self.exit_code = answer.exit_code
            self._complain(answer)
            return
        try:
            self._write(answer)
        except OutputLost as lost:
            self._complain(answer)
            self._complain(Answer.of_error(self.command_name, lost))

    def _write(self, answer: Answer) -> None:
        self.exit_code = answer.exit_code
        answer = self._with_project(answer)
        # Progress must be off the screen before the result is on it.
        if "observer" in self.__dict__:
            self.observer.finished("")
        if answer.error is not None and self.output is not OutputFormat.JSON:
            self._complain(answer)
        if answer.result is not None or self.output is OutputFormat.JSON:
            write_result(self.render(answer))

    def _with_project(self, answer: Answer) -> Answer:
        """Let the commands in the hints work on the project that this one works on."""
        if self.options.alembic_config is None:
            return answer
        from larp_cli.cli.hints import with_project

        named: Answer = with_project(answer, self.options.alembic_config)
        return named

    def render(self, answer: Answer) -> str:
        """Write an answer as text, in the format that is asked for."""
        if self.output is OutputFormat.JSON:
            from larp_cli.rendering.json import render
        elif self.output is OutputFormat.HUMAN:
            from larp_cli.rendering.human import render
        else:
            from larp_cli.rendering.plain import render
        return render(answer, redact=self.redact, colour=self.terminal.stdout_has_colour)

    def _complain(self, answer: Answer) -> None:
        from larp_cli.rendering.problem import render

        assert answer.error is not None
        text = render(answer.error, colour=self.terminal.stderr_has_colour)
        write_to_stderr(self.redact(text))


def _explain_signal(
    signal: KeyboardInterrupt, timeout: float | None, *, uses_database: bool
) -> LarpError:
    """Say which signal stopped the command, and how far the work got by its own account."""
    # A signal is raised again while the work ends, so the account may be in what led to it.
    causes = [cause for cause in causes_of(signal) if isinstance(cause, KeyboardInterrupt)]
    stopped = next((cause for cause in causes if isinstance(cause, Stopped)), None)
    newest = next((cause for cause in causes if not isinstance(cause, Stopped)), signal)
    account = f"; {stopped.message}" if stopped is not None else ""
    error: LarpError
    if isinstance(newest, TerminationSignal):
        error = errors.Terminated(f"stopped by SIGTERM{account}")
    elif isinstance(newest, DeadlineSignal):
        late = errors.DatabaseUnreachable if uses_database else errors.CommandFailed
        hint = "give it longer with --timeout SECONDS"
        error = late(f"not finished within {timeout:g} s{account}", hint=hint)
    else:
        error = errors.Interrupted(f"stopped by SIGINT{account}")
    error.changed = stopped is not None and stopped.changed
    return error
