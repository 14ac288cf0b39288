"""Write a new revision file from the differences between models and schema."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from larp_cli.errors import ConfigurationError, Locked, Refused, UsageError
from larp_cli.migrations.alembic_api import (
    find_script_directory,
    has_write_hooks,
    list_operations,
    list_version_locations,
    open_staging,
    write_scripts,
)
from larp_cli.migrations.autogenerate.compare import (
    autogenerate,
    by_hand,
    open_revision,
    require_models,
)
from larp_cli.migrations.control import open_control
from larp_cli.migrations.project import translate_alembic_errors
from larp_cli.migrations.revisions import describe_revision
from larp_cli.migrations.status import compare_revisions
from larp_cli.results import DatabaseState, RevisionFile
from larp_cli.system.files import move, write_synced
from larp_cli.system.processes import find_installed

if TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script, ScriptDirectory

    from larp_cli.migrations.project import Project
    from larp_cli.postgres.database import Database

OTHER_AUTHOR_WAIT = 15
"""Seconds to wait for another `larp db revision` in the same project."""

BLACK_TIMEOUT = 60
"""Seconds."""


def write_revision(project: Project, message: str, *, database: Database | None) -> RevisionFile:
    """Write a revision file, unless models and schema are equal.

    Args:
        project: Where the file goes.
        message: What the revision does; becomes its description and its file's name.
        database: A database at head to compare the models with; None writes an empty
            revision.

    Raises:
        UsageError: The message holds no word.
        ConfigurationError: The project cannot be written to, or has several heads.
        Refused: The database is not at head.
        Locked: Another `larp db revision` is running.
    """
    message = _clean_message(message)
    versions = _find_directory(project)
    revision = open_revision(project, project.script, _escape_docstring(message))
    hand_work: tuple[str, ...] = ()
    if database is not None:
        _require_at_head(database, project)
        anything, hand_work = _fill(revision, database, project)
        if not anything:
            return RevisionFile(
                message=message, revision=None, down_revisions=(), path=None, by_hand=hand_work
            )
    with (
        _explain_refused_write(versions),
        _lock_directory(versions),
        _open_staging_directory(project) as (script, staged),
    ):
        if database is not None:
            _require_same_heads(project, script)
        written = _write_staged(revision, script, staged)
        path = [_publish(Path(item.path), staged, versions) for item in written][-1]
    facts = describe_revision(written[-1])
    return RevisionFile(
        message=message,
        revision=facts.revision,
        down_revisions=facts.down_revisions,
        path=path,
        by_hand=hand_work,
    )


def _require_same_heads(project: Project, script: ScriptDirectory) -> None:
    """Refuse to build on a head that another process has extended."""
    if script.get_heads() != project.script.get_heads():
        raise Refused(
            f"another revision was written in the meantime: {', '.join(script.get_heads())}",
            hint="larp db migrate",
        )


def _write_staged(revision: RevisionContext, script: ScriptDirectory, staged: Path) -> list[Script]:
    """Let Alembic write its files to the staging directory."""
    with translate_alembic_errors(staged), contextlib.redirect_stdout(sys.stderr):
        written = write_scripts(revision, script, staged)
    for item in written:
        _format(Path(item.path), script)
    return written


def _clean_message(message: str) -> str:
    message = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    if not re.search(r"\w", message):
        raise UsageError(
            "a revision needs a message with a word in it",
            hint="larp db revision -m 'Add players'",
        )
    return message


def _escape_docstring(message: str) -> str:
    """Escape what would end or change the docstring in the template."""
    return message.replace("\\", "\\\\").replace('"""', r"\"\"\"")


def _find_directory(project: Project) -> Path:
    """Find the directory that a new revision belongs to."""
    script = project.script
    heads = script.get_heads()
    if len(heads) > 1:
        raise ConfigurationError(
            f"the revisions have several heads: {', '.join(heads)}",
            hint=f"alembic -c {project.config_file} merge heads",
        )
    if project.config_file.parent.name == "_packaged" and project.own:
        raise ConfigurationError(
            f"{project.config_file.parent} is an installed package, no place for new revisions",
            hint="work in a checkout, or name a project's alembic.ini with --alembic-config PATH",
        )
    locations = list_version_locations(script)
    above = [
        location
        for head in heads
        for location in locations
        if Path(script.get_revision(head).path).resolve().is_relative_to(location.resolve())
    ]
    return (above or locations)[0]


@contextlib.contextmanager
def _explain_refused_write(versions: Path) -> Iterator[None]:
    """Raise an error that names the directory if a write is refused."""
    try:
        versions.mkdir(exist_ok=True)
        yield
    except OSError as error:
        raise ConfigurationError(
            f"no revision can be written to {versions}: {error.strerror}",
            hint="work in a checkout that you may write to, or name another with --alembic-config",
        ) from error


@contextlib.contextmanager
def _lock_directory(versions: Path) -> Iterator[None]:
    """Let one author at a time write, because two would follow the same head.

    Raises:
        Locked: Another `larp db revision` did not end in time.
    """
    path = _name_lock_file(versions)
    lock = FileLock(path, timeout=OTHER_AUTHOR_WAIT)
    try:
        lock.acquire()
    except Timeout as error:
        raise Locked(
            f"another larp db revision is writing to {versions}",
            hint="wait for it to end, then try again",
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is locked, so that a waiting process notices
        lock.release()


def _name_lock_file(versions: Path) -> Path:
    """Name the lock file of a directory; inside the project it might be committed."""
    key = hashlib.sha256(bytes(versions.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"larp-revision-{os.getuid()}-{key}.lock")


@contextlib.contextmanager
def _open_staging_directory(project: Project) -> Iterator[tuple[ScriptDirectory, Path]]:
    """Open a directory to which Alembic writes before the file is published.

    It is below the scripts, so that formatters find the project's configuration.
    """
    with tempfile.TemporaryDirectory(
        prefix=".larp-", dir=find_script_directory(project.script)
    ) as directory:
        with translate_alembic_errors(project.config_file):
            script = open_staging(project.open_config(), project.script, Path(directory))
            script.get_heads()  # read now, with the lock held
        yield script, Path(directory)


def _require_at_head(database: Database, project: Project) -> None:
    with open_control(database, project) as control:
        standing = compare_revisions(project, control.read_heads())
    if standing.state is DatabaseState.AHEAD:
        raise Refused(
            f"{database.name} is ahead of this code: {', '.join(standing.unknown)}",
            hint="larp db status",
        )
    if standing.state is not DatabaseState.AT_HEAD:
        raise Refused(
            f"{database.name} is not at head, so what differs from the models is not known",
            hint="larp db migrate",
        )


def _fill(
    revision: RevisionContext, database: Database, project: Project
) -> tuple[bool, tuple[str, ...]]:
    """Put the differences into the revision.

    Returns:
        Whether there is anything to write, and what somebody has to write.
    """
    ran = False

    def look(filled: RevisionContext, context: MigrationContext) -> None:
        nonlocal ran
        ran = True
        _drop_types_with_tables(filled, context)

    autogenerate(database, project, revision, look)
    require_models(ran, project)
    steps = [
        step
        for script in list_operations(revision)
        for upgrade in script.upgrade_ops_list
        for step in upgrade.ops
    ]
    hand_work = by_hand(steps)
    return len(steps) > len(hand_work), hand_work


def _drop_types_with_tables(revision: RevisionContext, context: MigrationContext) -> None:
    """Let the downgrade drop the enumerations that creating a table creates.

    Alembic leaves them, and the next upgrade then finds that they exist already:
    https://github.com/sqlalchemy/alembic/issues/886
    """
    from alembic.operations.ops import CreateTableOp, ExecuteSQLOp

    from larp_cli.migrations.autogenerate.enums import native_enum

    quote = context.dialect.identifier_preparer.quote
    for script in list_operations(revision):
        for up, down in zip(script.upgrade_ops_list, script.downgrade_ops_list, strict=True):
            tables = [step for step in up.ops if isinstance(step, CreateTableOp)]
            columns = [item for table in tables for item in table.columns if hasattr(item, "type")]
            kinds = [native_enum(column.type, context.dialect) for column in columns]
            made = [kind for kind in kinds if kind is not None and kind.create_type]
            types = dict.fromkeys((kind.schema, kind.name) for kind in made)
            down.ops.extend(
                ExecuteSQLOp(
                    "DROP TYPE IF EXISTS " + ".".join(quote(part) for part in name if part)
                )
                for name in types
            )


def _format(path: Path, script: ScriptDirectory) -> None:
    """Format the file with black, if it is installed and the project has no write hooks."""
    black = find_installed("black")
    if black is None or has_write_hooks(script):
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [black, "--quiet", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=BLACK_TIMEOUT,
        )


def _publish(staged: Path, staging: Path, versions: Path) -> Path:
    """Put the finished file where Alembic reads it, in one step.

    The directory may be on another file system than the staging directory, so the file is
    first copied into it, under a name that Alembic does not read.

    Raises:
        Refused: There is a file of that name.
    """
    path = versions / staged.relative_to(staging)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.larp-new")
    try:
        write_synced(draft, staged.read_bytes(), like=staged)
        move(draft, path, replace=False)
    except FileExistsError as error:
        raise Refused(f"{path} exists already", hint="give the revision another message") from error
    finally:
        draft.unlink(missing_ok=True)
    return path
