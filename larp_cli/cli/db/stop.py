"""``larp db stop``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def stop(ctx: typer.Context) -> None:
    """Stop the embedded PostgreSQL.

    Stops it at once, even if another command is using it.

    Examples:
      larp db stop
    """
    larp: Context = ctx.obj
    changed = larp.embedded.stop()
    larp.answer(larp.embedded_state(changed=changed))
