"""``larp db plan``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import TargetRevision

app = new_app()


@app.command(cls=DatabaseCommand)
def plan(
    ctx: typer.Context,
    revision: TargetRevision = "head",
    check: Annotated[
        bool, typer.Option("--check", help="End with 3 when a hazard is not waived.")
    ] = False,
) -> None:
    """Show what a migration would run, and what may go wrong.

    The pending revisions from where the database is, their SQL, the tables that it
    touches, and the hazards that squawk sees in it. Takes no lock and changes nothing. A
    hazard is accepted in the revision file, with a reason:
    "# larp: allow ban-drop-column: nothing has read it since May".

    Examples:
      larp db plan
      larp db plan --check
      larp db plan +1 --json
    """
    from larp_cli.migrations.plan import make_plan

    larp: Context = ctx.obj
    larp.answer(make_plan(larp.databases.migration, larp.project, target=revision, check=check))
