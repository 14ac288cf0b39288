"""What larp uses of Alembic beyond its documentation, and nothing of it anywhere else.

Each function says which undocumented name it uses, and why a documented one does not do.
The contract is tested in ``tests/unit/migrations/test_alembic_api.py``, both with the Alembic
that is installed and, by ``make contracts``, with the oldest one that larp supports.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext
    from alembic.autogenerate.api import AutogenContext
    from alembic.config import Config
    from alembic.operations.ops import MigrateOperation, MigrationScript, UpgradeOps
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep, StampStep
    from alembic.script import Script, ScriptDirectory

type Work = Callable[[Any, MigrationContext], Iterable[MigrationStep]]
"""The work of an environment: it gets the stamps and the context, and yields the steps."""

type Adjust = Callable[[dict[str, Any]], None]
"""Changes the options with which an env.py calls ``context.configure()``."""

_USED = "larp_transaction_was_used"


# --- the revisions -----------------------------------------------------------------------


def list_upgrade_steps(
    script: ScriptDirectory, target: str, stamps: tuple[str, ...]
) -> Sequence[RevisionStep]:
    """List the steps of ``alembic upgrade``, with Alembic's own errors.

    Uses ``ScriptDirectory._upgrade_revs``: the documented ``iterate_revisions`` makes no steps.

    Raises:
        alembic.util.CommandError: The target is unknown, or cannot be reached from the stamps.
    """
    return script._upgrade_revs(target, stamps)  # type: ignore[arg-type]


def list_downgrade_steps(
    script: ScriptDirectory, target: str, stamps: tuple[str, ...]
) -> Sequence[RevisionStep]:
    """List the steps of ``alembic downgrade``, with Alembic's own errors.

    Uses ``ScriptDirectory._downgrade_revs``, as `list_upgrade_steps` does its counterpart.

    Raises:
        alembic.util.CommandError: The target is unknown, or not below the stamps.
    """
    return script._downgrade_revs(target, stamps)  # type: ignore[arg-type]


def list_stamp_steps(
    script: ScriptDirectory, revision: str, stamps: tuple[str, ...]
) -> Sequence[StampStep]:
    """List the steps of ``alembic stamp``.

    Uses ``ScriptDirectory._stamp_revs``: the documented ``MigrationContext.stamp`` writes at once.

    Raises:
        alembic.util.CommandError: There is no such revision.
    """
    return script._stamp_revs(revision, stamps)


def read_script(step: RevisionStep) -> Script:
    """Return the revision that a step runs.

    Uses ``RevisionStep.revision``: steps are not documented at all.
    """
    return step.revision


def read_stamps(step: StampStep) -> tuple[str, ...]:
    """Return the stamps after a step that runs no revision; none where it removes one.

    Uses ``StampStep.to_``: the documented ``MigrationInfo`` has them the other way around for
    a step down.
    """
    return step.to_


def wrap_step(
    step: MigrationStep, wrap: Callable[[Callable[..., None]], Callable[..., None]]
) -> None:
    """Put a function around the ``upgrade()`` or ``downgrade()`` that a step runs.

    Replaces ``MigrationStep.migration_fn``: the documented ``on_version_apply`` is called
    only afterwards.
    """
    step.migration_fn = wrap(step.migration_fn)


def list_version_locations(script: ScriptDirectory) -> list[Path]:
    """List the directories in which the revision files are, or should be.

    Uses ``ScriptDirectory._version_locations``: the documented ``version_locations`` is
    empty by default, and may hold names of packages.
    """
    return [Path(location) for location in script._version_locations]


def find_script_directory(script: ScriptDirectory) -> Path:
    """Return the directory of env.py and of the template for revisions.

    Uses ``ScriptDirectory.dir``: the documented ``script_location`` may name a package.
    """
    return Path(script.dir)


def read_file_template(script: ScriptDirectory) -> str:
    """Return the template for the names of revision files.

    Uses ``ScriptDirectory.file_template``: the documented setting may be missing.
    """
    return script.file_template


def has_write_hooks(script: ScriptDirectory) -> bool:
    """Check whether a project has Alembic run a formatter on a new file.

    Uses ``ScriptDirectory.hooks``: the documented section ``post_write_hooks`` may be in
    ``alembic.ini`` or in ``pyproject.toml``.
    """
    return bool(script.hooks)


def open_staging(config: Config, script: ScriptDirectory, directory: Path) -> ScriptDirectory:
    """Read a project's revisions again, with a directory beside them to write new ones to.

    Assigns ``ScriptDirectory.version_locations`` and ``messaging_opts``: the documented
    ``from_config`` takes neither a further directory nor a word about being quiet, and puts
    ``prepend_sys_path`` in front of ``sys.path`` once more.
    """
    from alembic.script import ScriptDirectory

    path = sys.path[:]
    staging = ScriptDirectory.from_config(config)
    sys.path[:] = path
    staging.version_locations = [*map(str, list_version_locations(script)), str(directory)]
    staging.messaging_opts = {"quiet": True}
    return staging


# --- running an environment --------------------------------------------------------------


def open_environment(
    config: Config,
    script: ScriptDirectory,
    work: Work,
    *,
    adjust: Adjust | None = None,
    read_only: bool = False,
    **options: Any,
) -> EnvironmentContext:
    """Make an environment for an env.py, which does ``work`` in ``run_migrations()``.

    Uses ``dont_mutate`` for ``read_only``: no documented option keeps Alembic from creating
    the version table. And replaces two methods on the object, because the functions of the
    module ``alembic.context`` look their method up there, and know no subclass:

    - ``configure`` passes its options through ``adjust``; the documented options of the
      constructor give way to what env.py says.
    - ``run_migrations`` first notes what env.py did in the transaction, for `commits_itself`.
    """
    from alembic.runtime.environment import EnvironmentContext

    environment = EnvironmentContext(config, script, fn=work, dont_mutate=read_only, **options)
    _replace_configure(environment, adjust)
    if not environment.is_offline_mode():
        _replace_run_migrations(environment)
    return environment


def _replace_configure(environment: EnvironmentContext, adjust: Adjust | None) -> None:
    original = environment.configure
    names = list(inspect.signature(original).parameters)

    def configure(*arguments: Any, **options: Any) -> None:
        options |= zip(names, arguments, strict=False)
        if adjust is not None:
            adjust(options)
        original(**options)

    environment.configure = configure  # type: ignore[method-assign]


def _replace_run_migrations(environment: EnvironmentContext) -> None:
    original = environment.run_migrations

    def run_migrations(**options: Any) -> None:
        driver: Any = environment.get_bind().connection.driver_connection
        used = driver.info.transaction_status != TransactionStatus.IDLE
        environment.config.attributes[_USED] = used
        original(**options)

    environment.run_migrations = run_migrations  # type: ignore[method-assign]


def commits_itself(context: MigrationContext) -> bool:
    """Check whether only env.py can commit what a revision did.

    It began the transaction itself, or runs the migrations outside ``begin_transaction()``,
    or ran something in the transaction that would end with it (``SET LOCAL``).

    Uses ``MigrationContext._transaction``, which is Alembic's own and None in the first two
    cases, and the note that `open_environment` makes.
    """
    if context.config is not None and context.config.attributes[_USED]:
        return True
    connection = context.bind
    return context._transaction is None and connection is not None and connection.in_transaction()


def commit_revision(context: MigrationContext) -> None:
    """Commit what a revision did, and begin the next transaction in its place.

    Nothing happens where Alembic has committed already, because env.py asks for a transaction
    per migration.

    Uses ``MigrationContext._transaction``, which ``begin_transaction()`` commits at its end.
    The documented ``autocommit_block()`` does the same, and asks for the isolation level.
    """
    transaction, connection = context._transaction, context.bind
    if transaction is not None and connection is not None:
        transaction.commit()
        context._transaction = connection.begin()


def read_version_table(context: MigrationContext) -> tuple[str | None, str]:
    """Return the schema of the version table, None for the default one, and its name.

    Uses ``MigrationContext.version_table_schema`` and ``version_table``: the documented options
    of ``configure()`` can be read nowhere else.
    """
    return context.version_table_schema, context.version_table


def begin_offline(context: MigrationContext, connection: Any) -> bool:
    """Give the revisions of an offline run this connection.

    Uses ``MigrationContext.connection`` and that of its ``impl``: offline Alembic makes a
    connection of its own, which answers nothing and does not say so.

    Returns:
        Whether the statements would run in a transaction (``DefaultImpl.transactional_ddl``).
    """
    context.connection = context.impl.connection = connection
    return context.impl.transactional_ddl


# --- writing revisions -------------------------------------------------------------------


def new_revision(
    config: Config, script: ScriptDirectory, message: str | None = None
) -> RevisionContext:
    """Begin a revision that follows the head.

    Uses ``RevisionContext``: the documented ``alembic.command.revision`` makes its own
    environment, and writes the file at once.
    """
    from alembic.autogenerate import RevisionContext

    arguments = {
        "message": message,
        "head": "head",
        "sql": False,
        "splice": False,
        "branch_label": None,
        "version_path": None,
        "rev_id": None,
        "depends_on": None,
    }
    return RevisionContext(config, script, arguments)


def list_revision_options(revision: RevisionContext) -> dict[str, Any]:
    """Return the options of the environment in which a revision is filled.

    Uses ``RevisionContext.template_args``, to which ``configure(template_args=…)`` adds.
    """
    return {"template_args": revision.template_args, "revision_context": revision}


def compare_models(revision: RevisionContext, stamps: Any, context: MigrationContext) -> None:
    """Compare the models with the database, and put into the revision what differs.

    Uses ``RevisionContext.run_autogenerate``: the documented ``produce_migrations`` does not
    call the hooks of env.py.

    Raises:
        alembic.util.CommandError: The database is not at head.
    """
    revision.run_autogenerate(stamps, context)


def list_operations(revision: RevisionContext) -> list[MigrationScript]:
    """Return the operations of a revision; an env.py may have made it several revisions.

    Uses ``RevisionContext.generated_revisions``.
    """
    return revision.generated_revisions


def list_differences(operations: UpgradeOps) -> list[Any]:
    """Describe operations as the tuples that the documented ``compare_metadata`` returns.

    Uses ``UpgradeOps.as_diffs``.
    """
    return list(operations.as_diffs())


def render_operation(comparison: AutogenContext, operation: MigrateOperation) -> str:
    """Write an operation as the Python that would be in a revision file.

    Uses ``render_op_text``: the documented ``render_python_code`` writes a whole function.
    """
    from alembic.autogenerate import render_op_text

    return render_op_text(comparison, operation)


def open_comparison(context: MigrationContext) -> AutogenContext:
    """Make what comparing and rendering need of a context.

    Uses the constructor of the documented ``AutogenContext``.
    """
    from alembic.autogenerate.api import AutogenContext

    return AutogenContext(context)


def write_scripts(
    revision: RevisionContext, script: ScriptDirectory, directory: Path
) -> list[Script]:
    """Write the files of a revision to a directory among those of ``script``.

    Uses ``RevisionContext.script_directory`` and ``generate_scripts``: the documented
    ``ScriptDirectory.generate_revision`` takes operations that are rendered already.
    """
    revision.script_directory = script
    for generated in revision.generated_revisions:
        generated.version_path = str(directory)
    return [item for item in revision.generate_scripts() if item is not None]
