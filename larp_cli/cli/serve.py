"""``larp serve``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import refuse_empty
from larp_cli.errors import UsageError

app = new_app()


class ServeCommand(DatabaseCommand):
    """Handles ``--timeout`` itself: it stops the server like SIGTERM."""

    deadline_by_alarm = False


@app.command(cls=ServeCommand)
def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="H", callback=refuse_empty, help="Address to listen on. Default: SERVE_HOST."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="P",
            help="Port to listen on; 0 picks one. Default: SERVE_PORT.",
        ),
    ] = None,
    socket: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", callback=refuse_empty, help="Listen on a Unix socket instead."
        ),
    ] = None,
) -> None:
    """Serve the health of the database over HTTP.

    Answers probes at /health, /health/db and /health/ready; / and /docs are for people.
    Checks the database every HEALTH_INTERVAL seconds and answers with the latest result,
    so probes add no load. Starts without a database, too. On SIGTERM it reports not ready,
    keeps answering for SERVE_DRAIN_SECONDS, and exits with 0. A second signal ends it at
    once.

    Examples:
      larp serve
      larp serve --host 0.0.0.0 --port 8080
      larp serve --socket /run/larp/health.sock
    """
    larp: Context = ctx.obj
    if socket is not None and (host is not None or port is not None):
        raise UsageError(
            "--socket cannot be combined with --host or --port", hint="larp serve --help"
        )
    from larp_cli.cli.serving import announced, open_server
    from larp_cli.health.http.launch import hold_signals, replace_process

    options = open_server(larp, host=host, port=port, socket_file=socket)
    hold_signals()  # first: whoever reads where it listens may end it
    larp.announce(announced(options))
    replace_process(options)
