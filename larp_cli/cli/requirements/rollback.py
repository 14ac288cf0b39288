"""``larp requirements rollback``."""

from functools import partial
from typing import Annotated

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import HERE, Keep, ProjectDirectory, refuse_empty

app = new_app()


@app.command(cls=LarpCommand)
def rollback(
    ctx: typer.Context,
    which: Annotated[
        str | None,
        typer.Argument(
            callback=refuse_empty,
            help="The backup, or the beginning of its name; default: the newest.",
        ),
    ] = None,
    project: ProjectDirectory = HERE,
    keep: Keep = 5,
) -> None:
    """Put the lock files of a backup back, both of them.

    What they replace becomes a backup itself, so that a rollback can be undone.

    Examples:
      larp requirements rollback
      larp requirements rollback 20261125T1930
    """
    from larp_cli.cli.requirements.home import larp_home
    from larp_cli.requirements.backups import Backups
    from larp_cli.requirements.update import roll_back

    larp: Context = ctx.obj
    backups = Backups(partial(larp_home, larp), project)
    larp.answer(roll_back(project, larp.observer, which=which, backups=backups, keep=keep))
