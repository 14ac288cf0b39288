"""``larp db history``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def history(ctx: typer.Context) -> None:
    """List the revisions, and when each was run.

    Shows the revision files with their state, then the ledger of runs. Newest first.

    Examples:
      larp db history
      larp db history --json
    """
    from larp_cli.migrations.status import migration_history

    larp: Context = ctx.obj
    larp.answer(migration_history(larp.databases.migration, larp.project))
