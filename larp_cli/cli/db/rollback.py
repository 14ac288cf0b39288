"""``larp db rollback``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import NO_CONSENT, ConsentOptions, refuse_empty
from larp_cli.errors import UsageError

app = new_app()


@app.command(cls=DatabaseCommand)
@expand_options
def rollback(
    ctx: typer.Context,
    steps: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of revisions to undo. Default: 1."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="REV", callback=refuse_empty, help="Undo everything after REV; base undoes all."
        ),
    ] = None,
    consent: ConsentOptions = NO_CONSENT,
) -> None:
    """Undo revisions, after showing what will be lost.

    Shows the SQL and the tables it touches, and asks for the database's name. Undoes one
    revision per transaction. The data in dropped tables and columns is lost: back up
    first. To get the SQL, larp runs the revisions' Python without a database.

    Examples:
      larp db rollback
      larp db rollback --steps 2 --confirm larp_manager
      larp db rollback --to base
    """
    from larp_cli.migrations.rollback import rollback as undo

    if steps is not None and to is not None:
        raise UsageError("--steps and --to cannot be combined", hint="larp db rollback --help")
    larp: Context = ctx.obj
    larp.answer(
        undo(
            larp.workspace,
            larp.guard(consent),
            target=to if to is not None else f"-{steps or 1}",
        )
    )
