"""``larp serve``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.errors import UsageError

app = new_app()


class ServeCommand(DatabaseCommand):
    """Heeds ``--timeout`` itself: the server ends by it, as if it were told to."""

    deadline_by_alarm = False


@app.command(cls=ServeCommand)
def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(metavar="H", help="Where to listen, instead of SERVE_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="P", help="Instead of SERVE_PORT; 0 takes a free one."
        ),
    ] = None,
    socket: Annotated[
        str | None, typer.Option(metavar="PATH", help="Listen on a Unix socket instead.")
    ] = None,
) -> None:
    """Serve the health of the database over HTTP.

    Answers /health, /health/db and /health/ready for machines, / and /docs for people. A
    monitor looks at the database every HEALTH_INTERVAL seconds, and requests read what it
    saw last, so that probes cost the database nothing. It starts without a database too,
    and says so. On SIGTERM it is ready no more, serves for SERVE_DRAIN_SECONDS, and ends
    with 0; a second signal ends it at once.

    Examples:
      larp serve
      larp serve --host 0.0.0.0 --port 8080
      larp serve --socket /run/larp/health.sock
    """
    larp: Context = ctx.obj
    if socket is not None and (host is not None or port is not None):
        raise UsageError("--socket goes without --host and --port", hint="larp serve --help")
    from larp_cli.cli.serving import announced, open_server
    from larp_cli.health.http.launch import hold_signals, replace_process

    options = open_server(larp, host=host, port=port, socket_file=socket)
    hold_signals()  # first: whoever reads where it listens may end it
    larp.announce(announced(options))
    replace_process(options)
