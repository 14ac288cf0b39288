"""``larp db check``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def check(ctx: typer.Context) -> None:
    """Check that models, revisions and database fit together.

    One head, nothing pending, not ahead, models equal schema, no revision edited after it
    ran, no invalid index, files named and described. Ends with 3 and names what does not
    fit. Takes no lock and changes nothing.

    Examples:
      larp db check
      larp db check --json
    """
    from larp_cli.migrations.check import check_database

    larp: Context = ctx.obj
    larp.answer(check_database(larp.databases.migration, larp.project))
