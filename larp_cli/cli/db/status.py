"""``larp db status``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def status(ctx: typer.Context) -> None:
    """Show the state of the database: server, revision, pending.

    Also shows unknown revisions, invalid indexes, and who is migrating. Exits with 0 at
    head, and with 3 if the database is behind, ahead or not initialised. Takes no lock
    and changes nothing.

    Examples:
      larp db status
      larp db status --json
    """
    from larp_cli.migrations.status import migration_status

    larp: Context = ctx.obj
    larp.answer(migration_status(larp.databases.migration, larp.project))
