"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from larp_cli.cli.typer_api import GivenOption

LONGEST_TIMEOUT = 7 * 24 * 3600.0
"""Seconds; nothing waits forever."""


class OutputFormat(StrEnum):
    """The format of the result on stdout."""

    HUMAN = "human"
    PLAIN = "plain"
    JSON = "json"


@dataclass
class CommonOptions:
    """The options that every command takes."""

    output: Annotated[
        OutputFormat | None,
        typer.Option(help="Format of the result. Default: human at a terminal, otherwise plain."),
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Same as --output json.")] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the result and errors.")
    ] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print more details.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Log everything, and show tracebacks.")] = (
        False
    )
    no_color: Annotated[bool, typer.Option("--no-color", help="Disable colour.")] = False
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=LONGEST_TIMEOUT,
            metavar="SECONDS",
            help="Stop the command after this time.",
        ),
    ] = None


@dataclass
class AlembicOptions:
    """The option that points the database commands at another project."""

    alembic_config: Annotated[
        Path | None,
        typer.Option(
            "--alembic-config",
            "-c",
            envvar="ALEMBIC_CONFIG",
            show_envvar=True,
            metavar="PATH",
            help="alembic.ini of another project to use.",
        ),
    ] = None


@dataclass
class SharedOptions(CommonOptions, AlembicOptions):
    """The shared options of the root, the group and the command together."""

    def take(self, given: Iterable[GivenOption]) -> None:
        """Take the options of one level; the root comes first, the command last.

        The later of two wins, and a flag at any level wins over a variable.
        """
        for option in given:
            if option.name == "json":
                self.output = OutputFormat.JSON
            elif not option.from_variable or getattr(self, option.name) is None:
                setattr(self, option.name, option.value)


def refuse_empty(value: str | None) -> str | None:
    """Refuse an empty name: a variable that is not set must not mean all, or the first."""
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty")
    return value


TargetRevision = Annotated[
    str,
    typer.Argument(
        metavar="REVISION",
        callback=refuse_empty,
        help="Target: a revision or its first characters, head, heads, or +N.",
    ),
]
Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        min=0,
        max=LONGEST_TIMEOUT,
        metavar="SECONDS",
        help="Wait this long for a database that is starting. 0 tries once.",
    ),
]
AllowProduction = Annotated[
    bool, typer.Option("--allow-production", help="Allow this on a production database.")
]


@dataclass(frozen=True, slots=True)
class ConsentOptions:
    """The consent that a destructive command needs."""

    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="NAME", help="Confirm with the database's name, without a prompt."
        ),
    ] = None
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Skip the confirmation (local, non-production databases only)."
        ),
    ] = False
    allow_production: AllowProduction = False


NO_CONSENT = ConsentOptions()
HERE = Path()

ProjectDirectory = Annotated[
    Path,
    typer.Option("--project", metavar="DIR", help="Directory that contains pyproject.toml."),
]
ResolverBackend = Annotated[
    Literal["pip-tools", "uv"],
    typer.Option("--backend", help="Program that resolves; uv must be installed."),
]
Keep = Annotated[
    int, typer.Option("--keep", min=0, metavar="N", help="Number of backups to keep; 0 makes none.")
]


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """Where a server listens: on an address, or on a Unix socket."""

    host: Annotated[
        str | None,
        typer.Option(
            metavar="H", callback=refuse_empty, help="Address to listen on. Default: SERVE_HOST."
        ),
    ] = None
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="P",
            help="Port to listen on; 0 picks one. Default: SERVE_PORT.",
        ),
    ] = None
    socket: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", callback=refuse_empty, help="Listen on a Unix socket instead."
        ),
    ] = None
