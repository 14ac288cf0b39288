"""``larp db seed``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import AllowProduction, refuse_empty

app = new_app()


@app.command(cls=DatabaseCommand)
def seed(
    ctx: typer.Context,
    env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=refuse_empty,
            help="Also load seeds/NAME/*.sql. Default: ENVIRONMENT.",
        ),
    ] = None,
    allow_production: AllowProduction = False,
) -> None:
    """Load the development data in seeds/, in one transaction.

    Runs seeds/*.sql, then seeds/NAME/*.sql, sorted by name, with the schema first in the
    search path. If a statement fails, nothing is loaded.

    Examples:
      larp db seed
      larp db seed --env testing
    """
    from larp_cli.migrations.seed import seed as load

    larp: Context = ctx.obj
    larp.answer(
        load(
            larp.workspace,
            seeds=larp.seeds,
            environment=env,
            allow_production=allow_production,
        )
    )
