"""Files that pg_dump wrote: what is in them, and whether all of it can be read."""

from __future__ import annotations

import os
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
"""Seconds that pg_restore may take to list an archive, and to read the whole of it."""

DUMPED_FROM = re.compile(r"; +Dumped from database version: (\d+)")

# An entry is "id; class oid KIND schema name owner", with "-" where there is no schema.
SCHEMA_ENTRY = re.compile(r"\d+; \d+ \d+ SCHEMA - (.+) \S*")
EXTENSION_COMMENT = re.compile(r"\d+; \d+ \d+ COMMENT - EXTENSION .*")
OF_THE_SCHEMA = (
    r"\d+; \d+ \d+ (?:[A-Z ]+ {schema} .*|SCHEMA - {schema} .*|EXTENSION - .*"
    r"|(?:ACL|COMMENT|SECURITY LABEL) - SCHEMA {schema} .*|COMMENT - EXTENSION .*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A file that pg_restore can read, as far as its table of contents."""

    path: Path
    program: Path
    """The pg_restore that can read it."""
    server_major: int | None
    """Major version of the server that it was dumped from."""
    entries: tuple[str, ...]
    """Its table of contents, as ``pg_restore --list`` writes it."""

    def creates(self, schema: str) -> bool:
        """Tell whether restoring it creates the schema itself.

        ``public`` is there in every database, and not every pg_dump creates it.
        """
        return schema != "public" and any(map(SCHEMA_ENTRY.fullmatch, self.entries))

    def wanted(self, schema: str) -> tuple[str, ...]:
        """List the entries to restore.

        The comment of an extension comes with the extension, and only its owner may write it.
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
        database: Whose environment pg_restore gets; it does not connect to it.
        server_major: Version of the server that it is for.

    Raises:
        ConfigurationError: There is no such file, or no pg_restore.
        CommandFailed: pg_restore cannot read it.
    """
    if not os.path.isfile(path):
        what = "is a directory" if os.path.isdir(path) else "does not exist, or is no regular file"
        raise ConfigurationError(
            f"there is no backup to restore: {path} {what}",
            hint="make one: larp db backup; they are in backups/ below LARP_HOME",
        )
    failure: CommandFailed | None = None
    for program in find_programs("pg_restore", server_major=server_major):
        try:
            listing = run_program(
                [program, "--list", path],
                database,
                timeout=LIST_TIMEOUT,
                what="pg_restore --list",
            )
        except CommandFailed as error:
            failure = error  # the next is newer, and may know the format
            continue
        found = DUMPED_FROM.search(listing)
        return Archive(
            path=path,
            program=program,
            server_major=int(found[1]) if found else None,
            entries=tuple(
                line for line in listing.splitlines() if line and not line.startswith(";")
            ),
        )
    assert failure is not None
    raise CommandFailed(
        f"{path} is not an archive that can be read: {failure.message}",
        hint="archives are made by: larp db backup, or pg_dump --format=custom",
    ) from failure


def require_whole(archive: Archive, database: Database) -> None:
    """Read the archive to its end: the table of contents is at its beginning.

    Raises:
        CommandFailed: It is truncated or damaged.
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
            hint="take another backup: they are in backups/ below LARP_HOME",
        ) from error


def require_schema(archive: Archive, schema: str) -> None:
    """Refuse an archive that would make anything but the schema.

    Raises:
        ConfigurationError: It holds another schema, or more than this one.
    """
    name = re.sub(r"[\r\n]", " ", schema)  # as pg_restore lists it
    ours = re.compile(OF_THE_SCHEMA.format(schema=re.escape(name)))
    foreign = [entry for entry in archive.entries if not ours.fullmatch(entry)]
    if archive.entries and not foreign:
        return
    schemas = [
        match[1]
        for entry in archive.entries
        if (match := SCHEMA_ENTRY.fullmatch(entry)) and match[1] != name
    ]
    if schemas and len(foreign) == len(archive.entries):
        raise ConfigurationError(
            f"{archive.path} holds the schema {schemas[0]}, not {schema}",
            hint=f"DATABASE_SCHEMA={shlex.quote(schemas[0])} larp db restore"
            f" {shlex.quote(str(archive.path))}",
        )
    what = f"more than the schema {schema}" if foreign else f"nothing of the schema {schema}"
    told = f": {foreign[0].partition(' ')[2]}" if foreign else ""
    raise ConfigurationError(
        f"{archive.path} holds {what}{told}",
        hint="dump the schema alone: larp db backup, or pg_dump --format=custom --schema",
    )
