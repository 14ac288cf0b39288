"""``larp db revision``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def revision(
    ctx: typer.Context,
    message: Annotated[str, typer.Option("--message", "-m", help="What the revision does.")],
    empty: Annotated[
        bool, typer.Option("--empty", help="Write an empty revision; needs no database.")
    ] = False,
) -> None:
    """Write a revision file from changes in the models.

    Compares the models with the database, which must be at head. Writes no file if nothing
    differs. Read the file before you apply it: a rename appears as a drop and an add.

    Examples:
      larp db revision -m 'Add players'
      larp db revision --empty -m 'Fill in missing names'
    """
    from larp_cli.migrations.autogenerate.revision_file import write_revision

    larp: Context = ctx.obj
    database = None if empty else larp.databases.migration
    larp.answer(write_revision(larp.project, message, database=database))
