"""``larp health``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import OutputFormat
from larp_cli.errors import UsageError

REMOTE_TIMEOUT = 5.0
"""Seconds for a server's answer, where ``--timeout`` does not say."""

app = new_app()


class HealthCommand(DatabaseCommand):
    """Heeds ``--timeout`` itself: it bounds the watching, or a server's answer."""

    deadline_by_alarm = False


@app.command(cls=HealthCommand)
def health(
    ctx: typer.Context,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="Only this check; may be repeated."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on looking, every HEALTH_INTERVAL seconds.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Ask a running server instead: http://HOST:PORT, or unix:PATH.",
        ),
    ] = None,
) -> None:
    """Make every check once, and say what it saw.

    Ends with 0 when nothing fails, with 3 when something does, with 5 when the database
    does not answer. A warning is no failure. With --url a server of larp serve is asked
    whether it is ready, which is quick enough for a container's health check; a path in
    the URL asks for something else.

    Examples:
      larp health
      larp health --json
      larp health --check database --check revision
      larp health --watch
      larp health --url http://127.0.0.1:8000
    """
    larp: Context = ctx.obj
    if url is not None:
        if check or watch:
            raise UsageError("--url asks a server, which has made its checks already")
        from larp_cli.health.remote import ask_server

        larp.answer(ask_server(url, timeout=larp.options.timeout or REMOTE_TIMEOUT))
        return
    names, settings = _known(check), larp.settings
    if not watch:
        from larp_cli.health.inspector import inspect_once

        deadline = larp.options.timeout or settings.health_deadline
        larp.answer(inspect_once(larp.subject, names, deadline=deadline))
        return
    if larp.output is OutputFormat.JSON:
        raise UsageError("--watch is for people; --json is one document", hint="larp health --json")
    from larp_cli.cli.watch import watch_health
    from larp_cli.health.inspector import Inspector

    inspector = Inspector(larp.subject, deadline=settings.health_deadline)
    raise typer.Exit(watch_health(larp, inspector, names, interval=settings.health_interval))


def _known(wanted: list[str] | None) -> tuple[str, ...]:
    from larp_cli.health.checks import NAMES

    unknown = [name for name in wanted or () if name not in NAMES]
    if unknown:
        raise UsageError(
            f"there is no check '{unknown[0]}'; there are {', '.join(NAMES)}",
            hint="larp health --help",
        )
    return tuple(name for name in NAMES if not wanted or name in wanted)
