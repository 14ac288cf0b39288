"""Options that several commands share, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

LONGEST_TIMEOUT = 7 * 24 * 3600.0
"""Seconds; nothing waits for ever."""


class OutputFormat(StrEnum):
    """How the result is written to stdout."""

    HUMAN = "human"
    PLAIN = "plain"
    JSON = "json"


@dataclass
class CommonOptions:
    """The options that every command takes."""

    output: Annotated[
        OutputFormat | None,
        typer.Option(help="How to write the result; human at a terminal, else plain."),
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Short for --output json.")] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Write nothing but the result and errors.")
    ] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more on the way.")] = False
    debug: Annotated[
        bool, typer.Option("--debug", help="Log everything; show tracebacks of errors.")
    ] = False
    no_color: Annotated[bool, typer.Option("--no-color", help="Write without colour.")] = False
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=LONGEST_TIMEOUT,
            metavar="SECONDS",
            help="Give up on the whole command after this.",
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
            help="alembic.ini of another project to work on.",
        ),
    ] = None


@dataclass
class SharedOptions(CommonOptions, AlembicOptions):
    """The shared options of the root, the group and the command together."""

    def take(self, values: dict[str, Any]) -> None:
        """Move the shared options that were given out of ``values`` into this object."""
        for option in fields(self):
            given = values.pop(option.name, None)
            if given:
                setattr(self, option.name, given)


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
        help="Where to stop: a revision, the beginning of one, heads, or +N.",
    ),
]
Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        min=0,
        max=LONGEST_TIMEOUT,
        metavar="SECONDS",
        help="Wait for a database that is not up yet; 0 still tries once.",
    ),
]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", metavar="NAME", help="The database's name, instead of typing it."),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Enough for a local database that is not production."),
]
AllowProduction = Annotated[
    bool, typer.Option("--allow-production", help="Needed for a production database.")
]
HERE = Path()

ProjectDirectory = Annotated[
    Path,
    typer.Option("--project", metavar="DIR", help="Directory of pyproject.toml; default: here."),
]
ResolverBackend = Annotated[
    Literal["pip-tools", "uv"], typer.Option("--backend", help="Who resolves; uv if installed.")
]
Keep = Annotated[
    int, typer.Option("--keep", min=0, metavar="N", help="Backups to keep; 0 makes none.")
]
