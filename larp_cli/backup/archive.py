"""Archives written by pg_dump: their contents, and whether they are complete."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from larp_cli.errors import CommandFailed, ConfigurationError
from larp_cli.postgres.programs import find_programs, run_program

if TYPE_CHECKING:
    from larp_cli.postgres.database import Database

LIST_TIMEOUT = 300.0
READ_TIMEOUT = 6 * 3600.0
"""Longest duration of listing an archive and of reading all of it, in seconds."""

DUMPED_FROM = re.compile(r"; +Dumped from database version: (\d+)")

# An entry is "id; class oid KIND schema name owner", with "-" if it has no schema.
SCHEMA_ENTRY = re.compile(r"\d+; \d+ \d+ SCHEMA - (.+) \S*")
EXTENSION_COMMENT = re.compile(r"\d+; \d+ \d+ COMMENT - EXTENSION .*")
OF_THE_SCHEMA = (
    r"\d+; \d+ \d+ (?:[A-Z ]+ {schema} .*|SCHEMA - {schema} .*|EXTENSION - .*"
    r"|(?:ACL|COMMENT|SECURITY LABEL) - SCHEMA {schema} .*|COMMENT - EXTENSION .*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive whose table of contents pg_restore can read."""

    path: Path
    program: Path
    """A pg_restore that can read it."""
    server_major: int | None
    """Major version of the server that the dump came from."""
    entries: tuple[str, ...]
    """The table of contents, as printed by ``pg_restore --list``."""

    def creates(self, schema: str) -> bool:
        """Return whether restoring the archive creates the schema itself.

        ``public`` exists in every database, and some versions of pg_dump do not create it.
        """
        return schema != "public" and any(map(SCHEMA_ENTRY.fullmatch, self.entries))

    def select_entries(self, schema: str) -> tuple[str, ...]:
        """List the entries to restore.

        Extensions bring their own comment, and only their owner may set it, so it is left out.
        """
        left_out = (
            [EXTENSION_COMMENT] if self.creates(schema) else [EXTENSION_COMMENT, SCHEMA_ENTRY]
        )
        return tuple(
            entry
            for entry in self.entries
            if not any(pattern.fullmatch(entry) for pattern in left_out)
        )


def open_archive(path: Path, database: Database, *, server_major: int) -> Archive:
    """Read an archive's table of contents.

    Args:
        path: The file.
        database: Provides the environment for pg_restore, which does not connect to it.
        server_major: Major version of the server to restore to.

    Raises:
        ConfigurationError: The file or a pg_restore is missing.
        CommandFailed: pg_restore cannot read the file.
    """
    _require_file(path)
    failure: CommandFailed | None = None
    for program in find_programs("pg_restore", server_major=server_major):
        try:
            return _list_archive(path, program, database)
        except CommandFailed as error:
            failure = error  # the next program is newer, and may know the format
    assert failure is not None
    raise CommandFailed(
        f"{path} is not a readable archive: {failure.message}",
        hint="make an archive with larp db backup, or with pg_dump --format=custom",
    ) from failure


def _require_file(path: Path) -> None:
    if path.is_file():
        return
    what = "is a directory" if path.is_dir() else "does not exist, or is not a regular file"
    raise ConfigurationError(
        f"there is no backup to restore: {path} {what}",
        hint="make one with larp db backup; backups are in backups/ below LARP_HOME",
    )


def _list_archive(path: Path, program: Path, database: Database) -> Archive:
    listing = run_program(
        [program, "--list", path], database, timeout=LIST_TIMEOUT, what="pg_restore --list"
    )
    found = DUMPED_FROM.search(listing)
    lines = listing.splitlines()
    return Archive(
        path=path,
        program=program,
        server_major=int(found[1]) if found else None,
        entries=tuple(line for line in lines if line and not line.startswith(";")),
    )


def require_whole(archive: Archive, database: Database) -> None:
    """Read the whole archive. Its table of contents is only the beginning.

    Raises:
        CommandFailed: The archive is truncated or damaged.
    """
    try:
        run_program(
            [archive.program, "--file=/dev/null", archive.path],
            database,
            timeout=READ_TIMEOUT,
            what="pg_restore",
        )
    except CommandFailed as error:
        raise CommandFailed(
            f"{archive.path} is truncated or damaged: {error.message}",
            hint="use another backup; they are in backups/ below LARP_HOME",
        ) from error


def require_schema(archive: Archive, schema: str) -> None:
    """Refuse an archive that would create anything outside the schema.

    Raises:
        ConfigurationError: The archive contains another schema, or more than this one.
    """
    name = re.sub(r"[\r\n]", " ", schema)  # as pg_restore lists it
    inside = re.compile(OF_THE_SCHEMA.format(schema=re.escape(name)))
    outside = [entry for entry in archive.entries if not inside.fullmatch(entry)]
    if archive.entries and not outside:
        return
    others = _list_other_schemas(archive, name)
    if others and len(outside) == len(archive.entries):
        raise ConfigurationError(
            f"{archive.path} contains the schema {others[0]}, not {schema}",
            hint=f"DATABASE_SCHEMA={shlex.quote(others[0])} larp db restore"
            f" {shlex.quote(str(archive.path))}",
        )
    what = f"more than the schema {schema}" if outside else f"nothing of the schema {schema}"
    example = f": {outside[0].partition(' ')[2]}" if outside else ""
    raise ConfigurationError(
        f"{archive.path} contains {what}{example}",
        hint="dump only the schema: larp db backup, or pg_dump --format=custom --schema",
    )


def _list_other_schemas(archive: Archive, name: str) -> list[str]:
    matches = (SCHEMA_ENTRY.fullmatch(entry) for entry in archive.entries)
    return [match[1] for match in matches if match and match[1] != name]
