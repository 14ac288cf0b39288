"""``larp db init``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def init(
    ctx: typer.Context,
    seed: Annotated[
        bool, typer.Option("--seed", help="Also load the development data in seeds/.")
    ] = False,
) -> None:
    """Create the database if it is missing, and migrate it to head.

    Safe to repeat, and to run several times at once. In development, larp uses the
    embedded PostgreSQL if DATABASE_URL is not set.

    Examples:
      larp db init
      larp db init --seed
    """
    from larp_cli.migrations.init import initialise

    larp: Context = ctx.obj
    larp.answer(
        initialise(
            larp.workspace,
            seeds=larp.seeds if seed else None,
        )
    )
