"""``larp config secret``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def secret(ctx: typer.Context) -> None:
    """Generate a SECRET_KEY.

    Prints it to stdout, and stores it nowhere.

    Examples:
      larp config secret
    """
    from larp_cli.configuration import generate_secret

    larp: Context = ctx.obj
    larp.answer(generate_secret())
