"""Write the SQL of revisions without running it, in Alembic's offline mode.

Offline a revision gets a connection that records statements and has no results. A revision
that needs a result ends there, and the plan says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import NoInspectionAvailable

from larp_cli.migrations.alembic_api import begin_offline, wrap_step
from larp_cli.migrations.lint.sqlalchemy_api import StatementConnection
from larp_cli.migrations.run.failure import describe_error
from larp_cli.results import PlannedStatement

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, MigrationStep

    from larp_cli.migrations.project import Project
    from larp_cli.migrations.run.steps import Step
    from larp_cli.postgres.database import Database

ASKS = "it asks the database, and its SQL depends on the answer"


@dataclass(slots=True)
class Rendered:
    """What one revision writes offline."""

    statements: list[PlannedStatement] = field(default_factory=list)
    inspects_database: bool = False
    incomplete: str | None = None
    """Why the statements are not everything; None if they are."""


class DatabaseAsked(AttributeError):
    """A revision wants to know something that only the database can tell.

    It is an AttributeError, because Alembic and SQLAlchemy use ``hasattr`` to find out what a
    connection can do.
    """


def render_sql(
    database: Database, project: Project, planned: Sequence[Step], current: tuple[str, ...]
) -> dict[str, Rendered]:
    """Render the ``planned`` revisions in one run of the project's env.py.

    Runs the Python of env.py and of the revisions, but no SQL. Another project's env.py gets a
    connection all the same: it may not know the offline mode.
    """
    recorder = _Recorder()

    def steps(_heads: object, context: MigrationContext) -> Iterator[MigrationStep]:
        recorder.attach(context)
        for item in planned:
            yield recorder.record(item)

    with ExitStack() as stack:
        connection = None
        if not project.own:
            engine = stack.enter_context(database.engine())
            connection = stack.enter_context(engine.connect())
        try:
            project.run_offline(connection, steps, current, adjust=recorder.adjust)
        except Exception as error:  # noqa: B902 - env.py may raise anything
            recorder.explain_missing(f"env.py fails in offline mode: {describe_error(error)}")
    return {item.revision: recorder.find(item.revision) for item in planned}


class _Recorder:
    """Collects the statements that Alembic writes, for each revision."""

    def __init__(self) -> None:
        self._rendered: dict[str, Rendered] = {}
        self._open: Rendered | None = None
        self._transactional = True
        self._in_transaction = True
        self._reason = "env.py runs no migrations in offline mode"

    def adjust(self, options: dict[str, Any]) -> None:
        """Have Alembic write the SQL here, with values instead of parameters.

        Named parameters keep a percent sign single, which some drivers want doubled. Callbacks
        are left out, because they may ask the database.
        """
        options |= {
            "connection": None,
            "url": None,
            "dialect_name": "postgresql",
            "dialect_opts": {"paramstyle": "named"},
            "output_buffer": self,
            "literal_binds": True,
            "on_version_apply": None,
        }
        options.pop("output_encoding", None)

    def attach(self, context: MigrationContext) -> None:
        """Give the revisions a connection that only records."""
        self._transactional = begin_offline(context, _OfflineConnection(context, self))

    def record(self, item: Step) -> MigrationStep:
        """Return the step, with its revision's statements recorded separately."""
        wrap_step(item.alembic_step, lambda migrate: self._wrap(item.revision, migrate))
        return item.alembic_step

    def _wrap(self, revision: str, migrate: Callable[..., None]) -> Callable[..., None]:
        def run(**options: Any) -> None:
            self._open = rendered = self._rendered[revision] = Rendered()
            self._in_transaction = self._transactional
            try:
                migrate(**options)
            except (DatabaseAsked, NoInspectionAvailable):
                rendered.inspects_database = True
            except Exception as error:  # noqa: B902 - a revision may raise anything
                rendered.incomplete = f"it fails in offline mode: {describe_error(error)}"
            finally:
                self._open = None
            if rendered.inspects_database:
                rendered.incomplete = ASKS

        return run

    def write(self, text: str) -> None:
        """Record one statement; Alembic writes each in one call."""
        statement = text.strip()
        if self._open is None or not statement:
            return
        if statement in ("COMMIT;", "BEGIN;"):
            # Only autocommit_block writes these within a revision.
            self._in_transaction = statement == "BEGIN;" and self._transactional
            return
        self._open.statements.append(
            PlannedStatement(sql=statement, in_transaction=self._in_transaction)
        )

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def note_question(self) -> None:
        """Note that the revision needs a result."""
        if self._open is not None:
            self._open.inspects_database = True

    def explain_missing(self, reason: str) -> None:
        """Note why the revisions that did not run have no SQL."""
        self._reason = reason

    def find(self, revision: str) -> Rendered:
        """Return what a revision has written."""
        return self._rendered.get(revision) or Rendered(incomplete=self._reason)


class _OfflineConnection(StatementConnection):
    """Records statements; any other use of it, or of a result, is a question."""

    def __init__(self, context: MigrationContext, recorder: _Recorder) -> None:
        def write(statement: Any, parameters: Any) -> _NoResult:
            for bound in _bind_parameters(statement, parameters):
                context.execute(bound)
            return _NoResult(recorder)

        super().__init__(context.dialect, write)
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        # Alembic itself asks whether a transaction is open.
        if name != "in_transaction" and not name.startswith("_"):
            self._recorder.note_question()
        raise DatabaseAsked(f"there is no connection offline, and so no {name}")


class _NoResult:
    """The result of a statement that did not run."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self._recorder.note_question()
        raise DatabaseAsked(f"there is no result offline, and so no {name}")

    def __iter__(self) -> Iterator[Any]:
        self._recorder.note_question()
        raise DatabaseAsked("there is no result offline")

    def __bool__(self) -> bool:
        self._recorder.note_question()
        raise DatabaseAsked("there is no result offline")


def _bind_parameters(statement: Any, parameters: Any) -> list[Any]:
    """Put the parameters into the statement, because nothing else would render them."""
    if not parameters:
        return [statement]
    sets = [parameters] if isinstance(parameters, Mapping) else list(parameters)
    if isinstance(statement, sa.TextClause):
        return [statement.bindparams(**values) for values in sets]
    if isinstance(statement, sa.Insert):
        return [statement.values(sets)]
    raise NotImplementedError(f"the parameters of {type(statement).__name__} cannot be rendered")
