"""``larp config show``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def show(
    ctx: typer.Context,
    origin: Annotated[
        bool, typer.Option("--origin", help="Also show where each value comes from.")
    ] = False,
) -> None:
    """Show the effective settings, with secrets hidden.

    Examples:
      larp config show
      larp config show --origin
    """
    from larp_cli.configuration import show_config

    larp: Context = ctx.obj
    larp.answer(show_config(with_origins=origin))
