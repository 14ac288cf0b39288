"""``larp doctor``."""

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context

app = new_app()


class DoctorCommand(DatabaseCommand):
    """Bounded by ``--timeout`` section by section, so that there is a report in any case."""

    deadline_by_alarm = False


@app.command(cls=DoctorCommand)
def doctor(ctx: typer.Context) -> None:
    """Report all that matters for a bug report, without a secret.

    Versions, machine, settings and where each comes from, the way to the database, the
    server's settings, schema and ledger, health. Where something cannot be found out the
    report says why, so it is of use when nothing else works; it ends with 0. Secrets are
    masked.

    Examples:
      larp doctor
      larp doctor --json
    """
    from larp_cli.doctor import Doctor

    larp: Context = ctx.obj
    larp.answer(
        Doctor(
            home=lambda: larp.settings.larp_home,
            databases=lambda: larp.databases,
            project=lambda: larp.project,
            subject=lambda: larp.subject,
            observer=larp.observer,
            timeout=larp.options.timeout,
        ).diagnose()
    )
