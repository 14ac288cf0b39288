"""``larp db check``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def check(ctx: typer.Context) -> None:
    """Check that models, revision files and database agree.

    Checks that there is one head, nothing is pending or ahead, the models match the
    schema, no revision was edited after it ran, no index is invalid, and every file is
    named and described. Exits with 3 if it finds a problem. Changes nothing.

    Examples:
      larp db check
      larp db check --json
    """
    from larp_cli.migrations.check import check_database

    larp: Context = ctx.obj
    larp.answer(check_database(larp.databases.migration, larp.project))
