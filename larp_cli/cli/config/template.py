"""``larp config template``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def template(ctx: typer.Context) -> None:
    """Print a template for .env, with every setting.

    Examples:
      larp config template > .env
    """
    from larp_cli.configuration import render_template

    larp: Context = ctx.obj
    larp.answer(render_template())
