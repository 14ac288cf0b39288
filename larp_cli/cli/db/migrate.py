"""``larp db migrate``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import TargetRevision, Wait

app = new_app()


@app.command(cls=DatabaseCommand)
def migrate(
    ctx: typer.Context,
    revision: TargetRevision = "head",
    plan: Annotated[
        bool, typer.Option("--plan", help="Preview: show what would run. Changes nothing.")
    ] = False,
    wait: Wait = None,
) -> None:
    """Apply the pending revisions, one transaction each.

    Safe to run several times at once: one migrates, the others wait for it. Takes no lock
    if nothing is pending.

    Examples:
      larp db migrate
      larp db migrate --plan
      larp db migrate --wait 60
      larp db migrate +1
      larp db migrate -c other/alembic.ini
    """
    from larp_cli.migrations.migrate import migrate as apply

    larp: Context = ctx.obj
    if wait is not None:
        from larp_cli.postgres.wait import wait_for_database

        wait_for_database(larp.databases.migration, larp.observer, timeout=wait)
    if plan:
        from larp_cli.migrations.plan import make_plan

        larp.answer(make_plan(larp.databases.migration, larp.project, target=revision))
        return
    larp.answer(
        apply(
            larp.workspace,
            target=revision,
        )
    )
