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
            metavar="FILE",
            show_default=False,
            help="File to write. Default: a new file in LARP_HOME/backups.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE if it exists.")] = False,
) -> None:
    """Back up the schema to a file, and read the file back.

    The file is in pg_dump's custom format, contains the data and the extensions of the
    schema, and is readable only by you. FILE appears once it is complete and verified. If
    anything fails, no file is left behind.

    Examples:
      larp db backup
      larp db backup before-upgrade.dump
    """
    from larp_cli.migrations.backups import back_up

    larp: Context = ctx.obj
    larp.answer(
        back_up(
            larp.workspace,
            path=file,
            directory=larp.backup_directory,
            force=force,
        )
    )
