"""``larp db start``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def start(ctx: typer.Context) -> None:
    """Start the embedded PostgreSQL and keep it up between commands.

    Without it the server is started on demand, and stopped when the last command that
    uses it ends.

    Examples:
      larp db start
    """
    larp: Context = ctx.obj
    changed = larp.embedded.start()
    larp.answer(larp.embedded_state(changed=changed))
