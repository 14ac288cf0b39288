"""``larp doctor``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


@app.command(cls=DatabaseCommand)
def doctor(ctx: typer.Context) -> None:
    """Report all that matters for a bug report, without a secret.

    Versions, machine, settings and where each comes from, the way to the database, the
    server's settings, schema and ledger, health. What cannot be found out says why, so it
    works when nothing else does, and ends with 0. Secrets are masked.

    Examples:
      larp doctor
      larp doctor --json
    """
    from larp_cli.doctor import diagnose

    larp: Context = ctx.obj
    larp.answer(
        diagnose(
            home=lambda: larp.settings.larp_home,
            databases=lambda: larp.databases,
            project=lambda: larp.project,
            subject=lambda: larp.subject,
        )
    )
