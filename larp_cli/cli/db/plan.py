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
        bool, typer.Option("--check", help="Exit with 3 if a hazard is not accepted.")
    ] = False,
) -> None:
    """Preview the pending revisions: SQL, tables and hazards.

    Squawk finds the hazards. Takes no lock and changes nothing. To accept a hazard, give
    the reason in the revision file:
    "# larp: allow ban-drop-column: nothing has read it since May".

    Examples:
      larp db plan
      larp db plan --check
      larp db plan +1 --json
    """
    from larp_cli.migrations.plan import make_plan

    larp: Context = ctx.obj
    larp.answer(make_plan(larp.databases.migration, larp.project, target=revision, check=check))
