"""``larp config check``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def check(ctx: typer.Context) -> None:
    """Check every setting, and list all that is wrong at once.

    Ends with 4 when a setting is wrong. A name that looks like a misspelt setting is a
    warning.

    Examples:
      larp config check
      larp config check --json
    """
    from larp_cli.configuration import config_check

    larp: Context = ctx.obj
    larp.answer(config_check())
