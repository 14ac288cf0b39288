"""``larp db backup``."""

from pathlib import Path
from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def backup(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            show_default=False,
            help="Where to; default: a new file in backups/ below LARP_HOME.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace FILE if it is there already.")
    ] = False,
) -> None:
    """Dump the schema into a file and read it back.

    The file is in pg_dump's custom format, with the schema's data and the extensions in it,
    and only you can read it. It gets its name when it is whole and was read back; until
    then, and if anything fails, there is none.

    Examples:
      larp db backup
      larp db backup before-upgrade.dump
    """
    from larp_cli.migrations.backups import back_up

    larp: Context = ctx.obj
    larp.answer(
        back_up(
            larp.databases.migration,
            larp.project,
            larp.observer,
            path=file,
            directory=larp.settings.larp_home / "backups",
            force=force,
        )
    )
