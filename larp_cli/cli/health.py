"""``larp health``."""

from dataclasses import dataclass
from typing import Annotated, NoReturn

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import OutputFormat
from larp_cli.errors import UsageError

REMOTE_TIMEOUT = 5.0
"""Seconds to wait for a server's answer without ``--timeout``."""

app = new_app()


class HealthCommand(DatabaseCommand):
    """Handles ``--timeout`` itself: it ends the watching, or limits a server's answer."""

    deadline_by_alarm = False


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """What to check, and how often."""

    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="Run only this check. Repeatable."),
    ] = None
    watch: Annotated[
        bool, typer.Option("--watch", help="Repeat every HEALTH_INTERVAL seconds.")
    ] = False
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Ask a running larp serve: http://HOST:PORT or unix:PATH.",
        ),
    ] = None


@app.command(cls=HealthCommand)
@expand_options
def health(ctx: typer.Context, options: HealthOptions) -> None:
    """Run the health checks.

    Exits with 0 if no check fails, 3 if one fails, and 5 if the database does not answer.
    Warnings do not count. With --url, asks a running larp serve whether it is ready, which
    is fast enough for a container's health check. A path in the URL asks for that instead.

    Examples:
      larp health
      larp health --json
      larp health --check database --check revision
      larp health --watch
      larp health --url http://127.0.0.1:8000
    """
    larp: Context = ctx.obj
    if options.url is not None:
        if options.check or options.watch:
            raise UsageError("--url cannot be combined with --check or --watch")
        from larp_cli.health.remote import ask_server

        larp.answer(ask_server(options.url, timeout=larp.options.timeout or REMOTE_TIMEOUT))
        return
    names = _known(options.check)
    if options.watch:
        _watch(larp, names)
    from larp_cli.health.inspector import inspect_once

    deadline = larp.options.timeout or larp.settings.health_deadline
    larp.answer(inspect_once(larp.health_target, names, deadline=deadline))


def _watch(larp: Context, names: tuple[str, ...]) -> NoReturn:
    if larp.output is OutputFormat.JSON:
        raise UsageError(
            "--watch cannot be combined with --json, which is one document",
            hint="larp health --json",
        )
    from larp_cli.cli.watch import watch_health
    from larp_cli.health.inspector import Inspector

    settings = larp.settings
    inspector = Inspector(larp.health_target, deadline=settings.health_deadline)
    raise typer.Exit(watch_health(larp, inspector, names, interval=settings.health_interval))


def _known(wanted: list[str] | None) -> tuple[str, ...]:
    from larp_cli.health.checks import NAMES

    unknown = [name for name in wanted or () if name not in NAMES]
    if unknown:
        raise UsageError(
            f"unknown check '{unknown[0]}'; the checks are {', '.join(NAMES)}",
            hint="larp health --help",
        )
    return tuple(name for name in NAMES if not wanted or name in wanted)
