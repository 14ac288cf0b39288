"""``larp config check``."""

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=LarpCommand)
def check(ctx: typer.Context) -> None:
    """Check the settings, and list every fault.

    Exits with 4 if a setting is wrong. Warns about names that look like misspelt settings.

    Examples:
      larp config check
      larp config check --json
    """
    from larp_cli.configuration import check_config

    larp: Context = ctx.obj
    larp.answer(check_config())
