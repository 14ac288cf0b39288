"""``larp db stamp``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import NO_CONSENT, ConsentOptions, refuse_empty

app = new_app()


@app.command(cls=DatabaseCommand)
@expand_options
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
    consent: ConsentOptions = NO_CONSENT,
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
            larp.guard(consent),
            revision=revision,
        )
    )
