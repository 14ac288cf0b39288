"""``larp db init``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def init(
    ctx: typer.Context,
    seed: Annotated[bool, typer.Option("--seed", help="Load the development data too.")] = False,
) -> None:
    """Create the database if it is missing, and migrate to head.

    The first revision makes the schema and its extensions. Doing it again does nothing.
    Several at once do it once: the others wait, and find it done. Without DATABASE_URL,
    in development, it is the embedded PostgreSQL.

    Examples:
      larp db init
      larp db init --seed
    """
    from larp_cli.migrations.init import initialise

    larp: Context = ctx.obj
    larp.answer(
        initialise(
            larp.databases.migration,
            larp.project,
            larp.observer,
            seeds=larp.seeds if seed else None,
            patience=larp.patience,
        )
    )
