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
            metavar="BACKUP",
            help="Backup, or the first characters of its name. Default: the newest.",
        ),
    ] = None,
    project: ProjectDirectory = HERE,
    keep: Keep = 5,
) -> None:
    """Restore both lock files from a backup.

    Backs up the current files first, so that you can undo the rollback.

    Examples:
      larp requirements rollback
      larp requirements rollback 20261125T1930
    """
    from larp_cli.cli.requirements.home import find_larp_home
    from larp_cli.requirements.backups import Backups
    from larp_cli.requirements.update import roll_back

    larp: Context = ctx.obj
    backups = Backups(partial(find_larp_home, larp), project)
    larp.answer(roll_back(project, larp.observer, which=which, backups=backups, keep=keep))
