"""``larp db wait``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.system.streams import wait_unless_unread

DEFAULT_TIMEOUT = 60.0
"""Seconds to wait where ``--timeout`` does not say."""

app = new_app()


class WaitCommand(DatabaseCommand):
    """Handles ``--timeout`` itself: it fails with the last error, which says more than a time."""

    deadline_by_alarm = False


@app.command(cls=WaitCommand)
def wait(ctx: typer.Context) -> None:
    """Wait until the database answers a query.

    Gives up after --timeout, or 60 seconds. Waits only for failures that can pass, such as
    a server that is starting. Fails at once on others, such as a wrong password, and when
    nothing reads its output any more.

    Examples:
      larp db wait
      larp db wait --timeout 120
    """
    from larp_cli.postgres.wait import wait_for_database

    larp: Context = ctx.obj
    timeout = larp.options.timeout or DEFAULT_TIMEOUT
    database = larp.databases.application
    larp.answer(
        wait_for_database(database, larp.observer, timeout=timeout, sleep=wait_unless_unread)
    )
