"""``larp db stamp``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import AllowProduction, Confirm, Yes, refuse_empty

app = new_app()


@app.command(cls=DatabaseCommand)
def stamp(
    ctx: typer.Context,
    revision: Annotated[
        str,
        typer.Argument(
            metavar="REVISION",
            callback=refuse_empty,
            help="Revision to record: an id, head, heads or base.",
        ),
    ],
    confirm: Confirm = None,
    yes: Yes = False,
    allow_production: AllowProduction = False,
) -> None:
    """Record a revision without running it.

    Use it if the schema is right but the recorded revision is wrong. Asks for the
    database's name, and writes a line into the ledger.

    Examples:
      larp db stamp head
      larp db stamp 4f1c7a9d2b60 --confirm larp_manager
    """
    from larp_cli.migrations.stamp import stamp as record

    larp: Context = ctx.obj
    larp.answer(
        record(
            larp.workspace,
            larp.guard(confirm=confirm, yes=yes, allow_production=allow_production),
            revision=revision,
        )
    )
