"""``larp serve``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import ListenOptions
from larp_cli.errors import UsageError

app = new_app()


class ServeCommand(DatabaseCommand):
    """Handles ``--timeout`` itself: it stops the server like SIGTERM."""

    deadline_by_alarm = False


@app.command(cls=ServeCommand)
@expand_options
def serve(ctx: typer.Context, listen_on: ListenOptions) -> None:
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
    if listen_on.socket is not None and (listen_on.host, listen_on.port) != (None, None):
        raise UsageError(
            "--socket cannot be combined with --host or --port", hint="larp serve --help"
        )
    from larp_cli.cli.serving import announced, open_server
    from larp_cli.health.http.launch import hold_signals, replace_process

    options = open_server(larp, listen_on)
    hold_signals()  # first: a reader of the announcement may end the server
    larp.announce(announced(options))
    replace_process(options)
