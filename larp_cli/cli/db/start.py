"""``larp db start``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def start(ctx: typer.Context) -> None:
    """Start the embedded PostgreSQL, and keep it running.

    Without this, larp starts the server on demand, and stops it when the last command that
    uses it ends.

    Examples:
      larp db start
    """
    from larp_cli.postgres.database import require_development

    larp: Context = ctx.obj
    require_development(larp.settings)
    if larp.settings.database_url is not None:
        larp.observer.note("DATABASE_URL is set, so no command will use this server")
    changed = larp.embedded.start()
    larp.answer(larp.embedded_state(changed=changed))
